use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::Span;

/// How much later something is, in nanoseconds: negative if it is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Offset(i64);

impl Offset {
    /// Nanoseconds.
    pub(crate) const fn as_nanos(self) -> i64 {
        self.0
    }

    /// How far the clocks of a time zone are ahead of UTC: of `"+02:00"`, `"-05:30"`, `"Z"`.
    pub(super) fn of_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let text = String::deserialize(deserializer)?;
        zone(&text).map(Some).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no time zone; write how far its clocks are ahead of UTC, such as \"+02:00\" or \"-05:30\""
            ))
        })
    }
}

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sign, span) = match text.trim().strip_prefix('-') {
            Some(span) => (-1, span),
            None => (1, text),
        };
        let span: Span = Span::from_text(span)?;
        let nanos = i64::try_from(span.as_nanos()).map_err(|_| format!("`{text}` is longer than 292 years"))?;
        Ok(Self(sign * nanos))
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn zone(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(Offset(0));
    }
    let (sign, clock) = match text.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':').unwrap_or((clock, "0"));
    let number = |text: &str, most: i64| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is_number && *number <= most)
    };
    let minutes = number(hours, 23)? * 60 + number(minutes, 59)?;
    Some(Offset(sign * minutes * 60 * lb_limits::SECOND.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn an_offset_is_a_span_with_or_without_a_sign() {
        let nanos = |text: &str| text.parse::<Offset>().map(Offset::as_nanos);
        assert_eq!(nanos("1h 30m"), Ok(HOUR + HOUR / 2));
        assert_eq!(nanos("-1h 30m"), Ok(-HOUR - HOUR / 2));
        assert_eq!(nanos("0s"), Ok(0));
        for wrong in ["--1h", "soon", "-", "1h -30m"] {
            assert!(nanos(wrong).unwrap_err().contains("write \"250ms\""), "{wrong}");
        }
        assert_eq!(nanos("-300years").unwrap_err(), "`-300years` is longer than 292 years");
    }

    #[test]
    fn a_zone_is_how_far_its_clocks_are_ahead() {
        let nanos = |text: &str| zone(text).map(Offset::as_nanos);
        assert_eq!(
            [nanos("+02:00"), nanos("+2"), nanos("-05:30"), nanos("Z")].map(Option::unwrap),
            [2 * HOUR, 2 * HOUR, -5 * HOUR - HOUR / 2, 0]
        );
        for wrong in ["", "02:00", "+24:00", "+02:60", "+", "+-2", "+02:00:00", "Europe/Berlin", "é"] {
            assert_eq!(zone(wrong), None, "{wrong}");
        }
    }
}
