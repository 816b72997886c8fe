use chrono::{Datelike, NaiveDate, NaiveTime, Timelike, Weekday};

use super::moment::Moment;

/// A date in one of the three forms of RFC 9110, 5.6.7: its shape is checked, its calendar not yet.
///
/// The forms are case-sensitive, with everything on its fixed position, and the zone is always GMT. Each is read below
/// in the order of its text.
#[derive(Clone, Copy)]
pub(super) struct HttpDate {
    weekday: Weekday,
    year: Year,
    month: u32,
    day: u32,
    /// Since midnight; a leap second makes it 86,400.
    second: u32,
}

#[derive(Clone, Copy)]
enum Year {
    Full(i32),
    /// Of a century that the form does not tell.
    TwoDigits(i32),
}

impl HttpDate {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        Self::imf_fixdate(text).or_else(|| Self::rfc_850(text)).or_else(|| Self::asctime(text))
    }

    /// `Sun, 22 Nov 2026 12:00:30 GMT`
    fn imf_fixdate(text: &[u8]) -> Option<Self> {
        let mut text = Scanner(text);
        let date = Self {
            weekday: text.short_weekday()?,
            day: text.after(b", ")?.digits(2)?.into(),
            month: text.after(b" ")?.month()?,
            year: Year::Full(text.after(b" ")?.digits(4)?.into()),
            second: text.after(b" ")?.time_of_day()?,
        };
        text.after(b" GMT")?.is_empty().then_some(date)
    }

    /// `Sunday, 22-Nov-26 12:00:30 GMT`
    fn rfc_850(text: &[u8]) -> Option<Self> {
        let mut text = Scanner(text);
        let date = Self {
            weekday: text.long_weekday()?,
            day: text.after(b", ")?.digits(2)?.into(),
            month: text.after(b"-")?.month()?,
            year: Year::TwoDigits(text.after(b"-")?.digits(2)?.into()),
            second: text.after(b" ")?.time_of_day()?,
        };
        text.after(b" GMT")?.is_empty().then_some(date)
    }

    /// `Sun Nov 22 12:00:30 2026`; a day below ten has a second space before it.
    fn asctime(text: &[u8]) -> Option<Self> {
        let mut text = Scanner(text);
        let date = Self {
            weekday: text.short_weekday()?,
            month: text.after(b" ")?.month()?,
            day: match text.after(b" ")?.after(b" ") {
                Some(padded) => padded.digits(1)?.into(),
                None => text.digits(2)?.into(),
            },
            second: text.after(b" ")?.time_of_day()?,
            year: Year::Full(text.after(b" ")?.digits(4)?.into()),
        };
        text.is_empty().then_some(date)
    }

    /// The moment, if the calendar has it and names its weekday so.
    ///
    /// Two digits of a year mean the last such year that is not more than 50 years after `reference`, which is asked
    /// for nothing else.
    pub(super) fn near(self, reference: impl FnOnce() -> Moment) -> Option<Moment> {
        match self.year {
            Year::Full(year) => self.in_year(year),
            Year::TwoDigits(year) => {
                let now = reference().calendar()?;
                let latest = (now.year().saturating_add(50), now.month(), now.day(), now.num_seconds_from_midnight());
                let century = now.year().div_euclid(100).saturating_mul(100);
                [100, 0, -100]
                    .into_iter()
                    .map(|shift| century.saturating_add(shift).saturating_add(year))
                    .find(|year| (*year, self.month, self.day, self.second) <= latest)
                    .and_then(|year| self.in_year(year))
            }
        }
    }

    /// The moment of a date that has no reference, being one itself.
    ///
    /// Two digits of a year are taken to be 20xx. The weekday is proof enough: under the same name, the same day of
    /// such a year comes back only after 400 years.
    pub(super) fn in_this_century(self) -> Option<Moment> {
        match self.year {
            Year::Full(year) => self.in_year(year),
            Year::TwoDigits(year) => self.in_year(year.saturating_add(2000)),
        }
    }

    fn in_year(self, year: i32) -> Option<Moment> {
        let date = NaiveDate::from_ymd_opt(year, self.month, self.day)?;
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
        (date.weekday() == self.weekday).then(|| Moment::from_unix_seconds(midnight.saturating_add(self.second.into())))
    }
}

/// What is left to read of a date.
struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    /// Steps over `literal`, which must be next.
    fn after(&mut self, literal: &[u8]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(self)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of exactly `count` digits, four at most.
    fn digits(&mut self, count: usize) -> Option<u16> {
        self.take(count)?.iter().try_fold(0_u16, |value, byte| {
            let digit = byte.is_ascii_digit().then(|| byte.saturating_sub(b'0'))?;
            Some(value.saturating_mul(10).saturating_add(digit.into()))
        })
    }

    /// `Sun`
    fn short_weekday(&mut self) -> Option<Weekday> {
        let name = self.take(3)?;
        WEEKDAYS.iter().find(|(long, _)| long.starts_with(name)).map(|(_, weekday)| *weekday)
    }

    /// `Sunday`
    fn long_weekday(&mut self) -> Option<Weekday> {
        let (name, weekday) = WEEKDAYS.iter().find(|(long, _)| self.0.starts_with(long))?;
        self.after(name)?;
        Some(*weekday)
    }

    /// `Nov` as 11
    fn month(&mut self) -> Option<u32> {
        let name = self.take(3)?;
        (1..).zip(MONTHS).find(|(_, month)| *month == name).map(|(number, _)| number)
    }

    /// `12:00:30` as seconds since midnight; the grammar has a second 60.
    fn time_of_day(&mut self) -> Option<u32> {
        let hour: u32 = self.digits(2)?.into();
        let minute: u32 = self.after(b":")?.digits(2)?.into();
        let second: u32 = self.after(b":")?.digits(2)?.into();
        let minutes = hour.saturating_mul(60).saturating_add(minute);
        (hour < 24 && minute < 60 && second <= 60).then(|| minutes.saturating_mul(60).saturating_add(second))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const WEEKDAYS: [(&[u8], Weekday); 7] = [
    (b"Monday", Weekday::Mon),
    (b"Tuesday", Weekday::Tue),
    (b"Wednesday", Weekday::Wed),
    (b"Thursday", Weekday::Thu),
    (b"Friday", Weekday::Fri),
    (b"Saturday", Weekday::Sat),
    (b"Sunday", Weekday::Sun),
];

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T12:00:00Z, a Sunday.
    const NOON: u64 = 1_795_348_800;

    fn read(text: &str) -> Option<Moment> {
        HttpDate::parse(text.as_bytes())?.near(|| Moment::from_unix_seconds(NOON))
    }

    #[test]
    fn every_weekday_and_month_has_its_name() {
        let dates = [
            "Thu, 01 Jan 2026 12:00:00 GMT",
            "Sun, 01 Feb 2026 12:00:00 GMT",
            "Mon, 02 Mar 2026 12:00:00 GMT",
            "Fri, 03 Apr 2026 12:00:00 GMT",
            "Sat, 02 May 2026 12:00:00 GMT",
            "Mon, 01 Jun 2026 12:00:00 GMT",
            "Wed, 01 Jul 2026 12:00:00 GMT",
            "Sat, 01 Aug 2026 12:00:00 GMT",
            "Tue, 01 Sep 2026 12:00:00 GMT",
            "Thu, 01 Oct 2026 12:00:00 GMT",
            "Sun, 01 Nov 2026 12:00:00 GMT",
            "Tue, 01 Dec 2026 12:00:00 GMT",
        ];
        let moments: Vec<_> = dates.iter().filter_map(|date| read(date)).collect();
        assert_eq!(moments.len(), dates.len());
        assert!(moments.is_sorted());
    }

    #[test]
    fn two_digits_reach_fifty_years_ahead_and_not_a_second_more() {
        assert_eq!(read("Sunday, 22-Nov-76 12:00:00 GMT"), read("Sun, 22 Nov 2076 12:00:00 GMT"));
        assert_eq!(read("Sunday, 22-Nov-76 12:00:01 GMT"), None);
        assert_eq!(read("Monday, 22-Nov-76 12:00:01 GMT"), read("Mon, 22 Nov 1976 12:00:01 GMT"));
    }

    #[test]
    fn two_digits_may_mean_the_next_century() {
        let reference = Moment::from_unix_seconds(3_786_912_000_u64); // 2090-01-01
        let read = |text: &[u8]| HttpDate::parse(text)?.near(|| reference);
        let new_year = read(b"Wednesday, 01-Jan-10 00:00:00 GMT");
        assert!(new_year.is_some());
        assert_eq!(new_year, read(b"Wed, 01 Jan 2110 00:00:00 GMT"));
    }

    #[test]
    fn second_sixty_is_the_next_minute() {
        assert_eq!(read("Sun, 22 Nov 2026 11:59:60 GMT"), Some(Moment::from_unix_seconds(NOON)));
        assert_eq!(read("Sun, 22 Nov 2026 11:59:61 GMT"), None);
    }

    #[test]
    fn a_shape_that_is_a_little_off_is_no_date() {
        for text in [
            "Sun, 22 Nov 2026 12:00:30 GMT ",
            "Sun, 22 Nov 2026 12:00:30 GMT+0",
            "Sun,22 Nov 2026 12:00:30 GMT",
            "Sun, 22 Nov 26 12:00:30 GMT",
            "Sun, 22 Nov +026 12:00:30 GMT",
            "Sun, 22 Nov 2026 1:00:30 GMT",
            "Sun, 00 Nov 2026 12:00:30 GMT",
            "Sunday, 22 Nov 2026 12:00:30 GMT",
            "Sun, 22-Nov-26 12:00:30 GMT",
            "Sunda, 22-Nov-26 12:00:30 GMT",
            "Sun Nov 22 12:00:30 2026 GMT",
            "Sun Nov 22 12:00:30 26",
            "Sunday Nov 22 12:00:30 2026",
            "Sun, 22 Nov 2026",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
