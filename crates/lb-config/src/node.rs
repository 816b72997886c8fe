//! A configuration as a tree in which every value knows where it is written.

use crate::place::{Path, Place, Step};

/// A value and its place. No `Debug`: somebody may have written a key.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What TOML, JSON and variables can say.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    /// The text of a variable, which is a number or a list if that is what is wanted.
    Variable(String),
    List(Vec<Node>),
    Table(Table),
}

/// Names and values, in the order in which they are written.
pub(crate) type Table = Vec<(String, Node)>;

impl Node {
    pub(crate) const fn new(place: Place, value: Value) -> Self {
        Self { place, value }
    }

    pub(crate) const fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => Some(text),
            _ => None,
        }
    }

    /// What stands under a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.table()?.iter().find(|(own, _)| own == name).map(|(_, node)| node)
    }

    /// Puts something under a name, in place of what stood there.
    pub(crate) fn set(&mut self, name: &str, node: Self) {
        let Value::Table(table) = &mut self.value else { return };
        match table.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = node,
            None => table.push((name.to_owned(), node)),
        }
    }

    /// What stands under a name, for changes.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Value::Table(table) = &mut self.value else { return None };
        table.iter_mut().find(|(own, _)| own == name).map(|(_, node)| node)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Value::Table(table) = &mut self.value {
            table.retain(|(own, _)| own != name);
        }
    }

    /// What stands at the end of a way.
    pub(crate) fn find(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |node, step| match (step, &node.value) {
            (Step::Name(name), _) => node.get(name),
            (Step::Index(index), Value::List(list)) => list.get(*index),
            (Step::Index(_), _) => None,
        })
    }

    /// Where the end of a way is written, or the last part of it that is.
    pub(crate) fn place_of(&self, path: &Path) -> &Place {
        let mut place = &self.place;
        for length in 1..=path.0.len() {
            match self.find(&Path(path.0[..length].to_vec())) {
                Some(node) => place = &node.place,
                None => break,
            }
        }
        place
    }

    /// Puts what `over` says in place of what is here, name by name. Where both have a table, the tables are merged.
    pub(crate) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(_), Value::Table(theirs)) => {
                for (name, node) in theirs {
                    match self.get_mut(&name) {
                        Some(own) => own.merge(node),
                        None => self.set(&name, node),
                    }
                }
            }
            (_, value) => *self = Self::new(over.place, value),
        }
    }

    /// Calls `visit` with every name and text under it.
    pub(crate) fn each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a str)) {
        match &self.value {
            Value::Table(table) => {
                for (name, node) in table {
                    if let Some(text) = node.text() {
                        visit(name, text);
                    }
                    node.each_text(visit);
                }
            }
            Value::List(list) => list.iter().for_each(|node| node.each_text(visit)),
            _ => {}
        }
    }
}
