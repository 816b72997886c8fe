//! Environment variables, put over what a file says.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    sync::Arc,
};

use crate::{
    error::ConfigError,
    node::{Node, Table, Value},
    place::{Path, Place},
    settings::CREDENTIALS,
};

/// What separates the levels of a variable's name. One underscore is in many names.
const SEPARATOR: &str = "__";

/// A configuration has six levels, and a program's own tables a few more. Names of variables have no end.
const MAX_DEPTH: usize = 32;

/// Whether it can begin the names of variables.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), ConfigError> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if prefix.starts_with(|c: char| c.is_ascii_uppercase()) && prefix.chars().all(is_name) && !prefix.ends_with('_') {
        return Ok(());
    }
    Err(ConfigError::of_prefix("it should be a word in capitals, such as LB, to which _ is added"))
}

/// Puts the variables that begin with `prefix` and `_` over the tree of a file.
pub(crate) fn put_over(
    root: &mut Node,
    prefix: &Arc<str>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if name.strip_prefix(&**prefix).is_some_and(|rest| rest.starts_with('_')) {
            ours.insert(name.into_owned(), value);
        }
    }
    // A variable that has a key may begin with the prefix too.
    let mut keys = BTreeSet::new();
    root.each_text(&mut |name, text| {
        if name.ends_with("_env") {
            keys.insert(text.to_owned());
        }
    });
    let named = ours.iter().filter(|(name, _)| name.ends_with("_ENV"));
    keys.extend(named.filter_map(|(_, value)| value.to_str()).map(str::to_owned));
    let mut over = Node::new(Place::Prefix(Arc::clone(prefix)), Value::Table(Table::new()));
    for (name, value) in ours.into_iter().filter(|(name, _)| !keys.contains(name)) {
        let place = Place::Variable { prefix: Arc::clone(prefix), name: name.as_str().into() };
        let levels: Vec<String> = name[prefix.len() + 1..].split(SEPARATOR).map(str::to_owned).collect();
        insert(&mut over, &place, &levels, value)?;
    }
    put_tree_over(root, over)
}

/// Puts the value of one variable into the tree of all.
fn insert(over: &mut Node, place: &Place, levels: &[String], value: OsString) -> Result<(), ConfigError> {
    let error = |message: &str| Err(ConfigError::new(place, &Path::default(), message));
    let is_level = |level: &String| {
        !level.is_empty() && level.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    if levels.len() > MAX_DEPTH || !levels.iter().all(is_level) {
        return error("it means nothing; names are in capitals, with two underscores between levels");
    }
    let Ok(text) = value.into_string() else { return error("its value is not UTF-8; set it anew") };
    if text.trim().is_empty() {
        return error("it is empty; unset it, or give it a value");
    }
    let levels: Vec<String> = levels.iter().map(|level| level.to_lowercase()).collect();
    let Some((last, tables)) = levels.split_last() else { return Ok(()) };
    let mut node = over;
    for level in tables {
        if node.get(level).is_none() {
            node.set(level, Node::new(place.clone(), Value::Table(Table::new())));
        }
        match node.get_mut(level) {
            Some(next) if next.table().is_some() => node = next,
            _ => return error("a variable with fewer levels gives the whole of it; keep one of them"),
        }
    }
    node.set(last, Node::new(place.clone(), Value::Variable(text)));
    Ok(())
}

fn put_tree_over(root: &mut Node, over: Node) -> Result<(), ConfigError> {
    let Value::Table(tables) = over.value else { return Ok(()) };
    for (name, node) in tables {
        match &*name {
            "backends" => put_backends_over(root, node)?,
            "pools" => put_pools_over(root, node)?,
            _ => match root.get_mut(&name) {
                Some(own) => own.merge(node),
                None => root.set(&name, node),
            },
        }
    }
    Ok(())
}

fn put_pools_over(root: &mut Node, over: Node) -> Result<(), ConfigError> {
    let (place, named) = named(over, "a pool has a name", "POOLS__NAME__MODELS")?;
    if root.get("pools").is_none() {
        root.set("pools", Node::new(place, Value::Table(Table::new())));
    }
    let Some(pools) = root.get_mut("pools") else { return Ok(()) };
    for (level, node) in named {
        let own = pools.table().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let own = only(own.iter().enumerate().filter(|(_, name)| as_level(name) == level), &node.place, "pools")?;
        let name = own.map_or(level, |(_, name)| name.clone());
        if pools.get(&name).is_none() {
            pools.set(&name, Node::new(node.place.clone(), Value::Table(Table::new())));
        }
        let (Some(pool), Value::Table(parts)) = (pools.get_mut(&name), node.value) else { continue };
        for (part, node) in parts {
            match (&*part, pool.get_mut(&part)) {
                ("backends", _) => put_backends_over(pool, node)?,
                (_, Some(own)) => own.merge(node),
                (_, None) => pool.set(&part, node),
            }
        }
    }
    Ok(())
}

/// The backends of `holder`, which is the root or a pool.
fn put_backends_over(holder: &mut Node, over: Node) -> Result<(), ConfigError> {
    let (place, named) = named(over, "a backend has a name", "BACKENDS__NAME__ENDPOINT")?;
    if holder.get("backends").is_none() {
        holder.set("backends", Node::new(place, Value::List(Vec::new())));
    }
    let Some(Node { value: Value::List(list), .. }) = holder.get_mut("backends") else { return Ok(()) };
    for (level, mut node) in named {
        // A variable may well hold a key: it is named as if the file did.
        for kind in ["api_key", "bearer_token"] {
            if let Some(Node { place: Place::Variable { prefix, name }, .. }) = node.get(kind) {
                let place = Place::Variable { prefix: Arc::clone(prefix), name: Arc::clone(name) };
                let value = Value::Variable(name.to_string());
                node.remove(kind);
                node.set(&format!("{kind}_env"), Node::new(place, value));
            }
        }
        let known = list.iter().enumerate().filter(|(_, own)| level_of(own).is_some_and(|own| own == level));
        match only(known, &node.place, "backends")? {
            Some((index, _)) => {
                if CREDENTIALS.iter().any(|name| node.get(name).is_some()) {
                    CREDENTIALS.iter().for_each(|name| list[index].remove(name));
                }
                list[index].merge(node);
            }
            None => {
                if node.get("name").is_none() {
                    node.set("name", Node::new(node.place.clone(), Value::Text(level)));
                }
                list.push(node);
            }
        }
    }
    Ok(())
}

/// The tables of pools or backends by name, and where the first is written.
fn named(over: Node, what: &str, how: &str) -> Result<(Place, Table), ConfigError> {
    let error = |place: &Place| {
        let prefix = match place {
            Place::Variable { prefix, .. } => &**prefix,
            _ => "",
        };
        let message = format!("{what} in its variables; write {prefix}_{how} and so on");
        ConfigError::new(place, &Path::default(), message)
    };
    match over.value {
        Value::Table(table) => match table.iter().find(|(_, node)| node.table().is_none()) {
            None => Ok((over.place, table)),
            Some((_, leaf)) => Err(error(&leaf.place)),
        },
        _ => Err(error(&over.place)),
    }
}

/// The one that a level of a variable names, if there is one.
fn only<T>(mut found: impl Iterator<Item = T>, place: &Place, what: &str) -> Result<Option<T>, ConfigError> {
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => {
            let message = format!("two {what} of the file are called so in variables; give one another name");
            Err(ConfigError::new(place, &Path::default(), message))
        }
    }
}

/// What a backend of the file is called in variables: by its name, else by its endpoint without scheme.
pub(crate) fn level_of(backend: &Node) -> Option<String> {
    let endpoint = || backend.get("endpoint").and_then(Node::text).map(|url| url.split("://").last().unwrap_or(url));
    backend.get("name").and_then(Node::text).or_else(endpoint).map(as_level)
}

/// A name as a level of variables: letters and digits, and one underscore for whatever stands between.
pub(crate) fn as_level(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}
