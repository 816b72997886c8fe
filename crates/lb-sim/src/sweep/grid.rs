use crate::scenario::{KeyPath, Scenario, ScenarioError};

/// More points than anybody reads.
const MOST_POINTS: usize = 10_000;

/// What a sweep varies: every combination of the values of its axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grid {
    axes: Vec<Parameter>,
}

/// One key, and the values it takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// The key.
    pub(crate) path: KeyPath,
    /// Its values, in the order of the points.
    pub(crate) values: Vec<toml::Value>,
}

impl Grid {
    /// The axes of a scenario's `[sweep]`, in alphabetical order.
    ///
    /// # Errors
    ///
    /// If a key of `[sweep]` is no key path, or has no values.
    pub fn of(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let mut grid = Self::default();
        for (path, values) in &scenario.sweep {
            let key = || format!("sweep.{path:?}");
            let path = path.parse().map_err(|_| {
                ScenarioError::new(key(), "it is no key path; write `\"backend.NAME.KEY\" = [..]`, in quotes")
            })?;
            if values.is_empty() {
                return Err(ScenarioError::new(key(), "the list has no values"));
            }
            grid.set(path, values.clone());
        }
        Ok(grid)
    }

    /// Varies a key over these values: instead of what it took before, or as the last axis.
    pub fn set(&mut self, path: KeyPath, values: Vec<toml::Value>) {
        match self.axes.iter_mut().find(|axis| axis.path == path) {
            Some(axis) => axis.values = values,
            None => self.axes.push(Parameter { path, values }),
        }
    }

    /// The axes.
    #[must_use]
    pub(crate) fn axes(&self) -> &[Parameter] {
        &self.axes
    }

    /// Every combination of values, the last axis fastest.
    ///
    /// # Errors
    ///
    /// If there is nothing to vary, or more than 10,000 combinations.
    pub fn points(&self) -> Result<Vec<Vec<(KeyPath, toml::Value)>>, ScenarioError> {
        if self.axes.is_empty() {
            return Err(ScenarioError::new(
                "sweep",
                "there is nothing to vary; write `[sweep]` with `\"backend.NAME.KEY\" = [..]`, or `--set PATH=A,B`",
            ));
        }
        let count = self.axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
        if count.is_none_or(|count| count > MOST_POINTS) {
            return Err(ScenarioError::new("sweep", format!("these are more than {MOST_POINTS} points; vary less")));
        }
        let mut points = vec![Vec::new()];
        for axis in &self.axes {
            points = points
                .into_iter()
                .flat_map(|point: Vec<_>| {
                    axis.values
                        .iter()
                        .map(move |value| point.iter().cloned().chain([(axis.path.clone(), value.clone())]).collect())
                })
                .collect();
        }
        Ok(points)
    }
}

/// The values in a list such as `1,4,16` or `1s,10s`: TOML, where a plain word needs no quotes.
///
/// ```
/// use lb_sim::sweep::list;
///
/// assert_eq!(list("1_000, 10s, [1, 2]"), ["1000".parse().unwrap(), "\"10s\"".parse().unwrap(), "[1, 2]".parse().unwrap()]);
/// ```
#[must_use]
pub fn list(text: &str) -> Vec<toml::Value> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, None);
    for letter in text.chars() {
        match (letter, quote) {
            (',', None) if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.iter().map(|part| value(part.trim())).collect()
}

fn value(text: &str) -> toml::Value {
    let parsed = format!("value = {text}").parse::<toml::Table>().ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(axes: &[(&str, &str)]) -> Grid {
        let mut grid = Grid::default();
        axes.iter().for_each(|(path, values)| grid.set(path.parse().unwrap(), list(values)));
        grid
    }

    fn labels(grid: &Grid) -> Vec<String> {
        let label = |(path, value): &(KeyPath, toml::Value)| format!("{path}={value}");
        grid.points().unwrap().iter().map(|point| point.iter().map(label).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn every_combination_comes_once_the_last_axis_fastest() {
        let grid = grid(&[("b.x", "1,2"), ("a.y", "1s,10s,60s")]);
        assert_eq!(
            labels(&grid),
            [
                "b.x=1 a.y=\"1s\"",
                "b.x=1 a.y=\"10s\"",
                "b.x=1 a.y=\"60s\"",
                "b.x=2 a.y=\"1s\"",
                "b.x=2 a.y=\"10s\"",
                "b.x=2 a.y=\"60s\"",
            ]
        );
    }

    #[test]
    fn a_later_list_replaces_an_earlier_one_in_its_place() {
        assert_eq!(labels(&grid(&[("a.x", "1,2"), ("a.y", "3"), ("a.x", "7")])), ["a.x=7 a.y=3"]);
    }

    #[test]
    fn lists_are_toml_and_words_need_no_quotes() {
        let texts: Vec<String> = list("1, 2.5,round-robin,\"a, b\",{ factor = 2.0, min = 1 },true")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, ["1", "2.5", "\"round-robin\"", "\"a, b\"", "{ factor = 2.0, min = 1 }", "true"]);
        // What is more than a value stays a word, and is refused where it is put.
        assert_eq!(list("1\nrun.seed = 5"), [toml::Value::String("1\nrun.seed = 5".to_owned())]);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(Grid::default().points().unwrap_err().to_string().contains("nothing to vary"));
        let hundred = (0..101).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        assert!(grid(&[("a.x", &hundred), ("a.y", &hundred)]).points().is_err());
    }
}
