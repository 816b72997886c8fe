//! Figures as SVG: panels over each other with one x axis. Legends stand in the page, outside of the data.

use std::fmt::Write as _;

use plotters::{
    coord::{Shift, ranged1d::ValueFormatter},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::axis::Axis;

/// Colours that the colour-blind can tell apart (Okabe and Ito), the most distant first.
pub(crate) const COLOURS: [Colour; 7] = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, RGBColor(0, 0, 0)];
pub(crate) const BLUE: Colour = RGBColor(0, 114, 178);
pub(crate) const ORANGE: Colour = RGBColor(230, 159, 0);
pub(crate) const GREEN: Colour = RGBColor(0, 158, 115);
pub(crate) const PURPLE: Colour = RGBColor(204, 121, 167);
pub(crate) const SKY: Colour = RGBColor(86, 180, 233);
pub(crate) const VERMILLION: Colour = RGBColor(213, 94, 0);
pub(crate) const GREY: Colour = RGBColor(110, 110, 110);
pub(crate) const INK: Colour = RGBColor(50, 50, 50);
const GRID: Colour = RGBColor(225, 225, 225);

/// More places to point at than that nobody can tell apart.
const MOST_PLACES: usize = 240;

/// A colour.
pub(crate) type Colour = RGBColor;

/// Letters are so wide, at most, in the unit of widths and heights.
const LETTER: u32 = 8;

/// What is free to the right of a panel, for half of the last label.
const RIGHT: u32 = 24;

/// Widths of a figure: a page shows the one that fits, and scales it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// For screens.
    Wide,
    /// For telephones: at their width the letters of the wide one would be 5 px high.
    Narrow,
}

impl Width {
    pub(crate) const ALL: [Self; 2] = [Self::Wide, Self::Narrow];

    const fn units(self) -> u32 {
        match self {
            Self::Wide => 960,
            Self::Narrow => 480,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Panels over one x axis.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What it shows, for those who cannot see it.
    pub(crate) title: String,
    /// The axis that all panels share.
    pub(crate) x: Axis,
    /// From top to bottom.
    pub(crate) panels: Vec<Panel>,
}

/// A rectangle of data.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    /// Its height.
    pub(crate) height: u32,
    /// Its y axis.
    pub(crate) y: Axis,
    /// What it shows, drawn in this order.
    pub(crate) series: Vec<Series>,
}

/// Points that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Its name in the legend; empty: not in it.
    pub(crate) name: String,
    /// Its colour.
    pub(crate) colour: Colour,
    /// How it is drawn.
    pub(crate) shape: Shape,
    /// Values on both axes. What is infinite stands where the axis has a place for it.
    pub(crate) points: Vec<(f64, f64)>,
    /// Of a line that others may lie on: the lengths of its dashes and gaps. The others show in the gaps.
    pub(crate) dash: Option<(u32, u32)>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A line through the points.
    Line,
    /// A line, and the area below it.
    Area,
    /// The area below the points alone, strong.
    Fill,
    /// The pale area between the first half of the points and the second, which runs back.
    Band,
    /// Dots, filled.
    Dots,
    /// Circles, open.
    Circles,
    /// Diamonds, filled.
    Diamonds,
    /// A thin line, for limits.
    Limit,
    /// The name itself, above the points; not in the legend.
    Note,
}

impl Series {
    pub(crate) fn new(name: impl Into<String>, colour: Colour, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), colour, shape, points, dash: None }
    }

    /// The line with the number `index` of `count` that may coincide: the later, the longer its gaps, so that each shows.
    pub(crate) fn among(mut self, index: usize, count: usize) -> Self {
        let length = |parts: usize| 8 * u32::try_from(parts).unwrap_or(1);
        self.dash = (index > 0).then(|| (length(count.saturating_sub(index).max(1)), length(index)));
        self
    }

    /// What the line shows at a place.
    fn at(&self, place: f64) -> Option<f64> {
        let after = self.points.iter().rposition(|point| point.0 <= place)?;
        let (from, to) = (self.points[after], self.points.get(after + 1).copied());
        match to {
            _ if from.0 == place => Some(from.1),
            Some(to) => Some(from.1 + (to.1 - from.1) * (place - from.0) / (to.0 - from.0)).filter(|at| at.is_finite()),
            None => None,
        }
    }

    /// The band between two lines over the same x.
    pub(crate) fn band(colour: Colour, points: &[(f64, f64, f64)]) -> Self {
        let low = points.iter().map(|(x, low, _)| (*x, *low));
        let high = points.iter().rev().map(|(x, _, high)| (*x, *high));
        Self::new("", colour, Shape::Band, low.chain(high).collect())
    }
}

impl Figure {
    /// The figure as an SVG element that scales with its surroundings; what went wrong, if it cannot be drawn.
    pub(crate) fn svg(&self, width: Width) -> Result<String, String> {
        let height = self.panels.iter().map(|panel| panel.height).sum::<u32>();
        let labels = self.panels.iter().map(|panel| panel.y.longest_label()).max().unwrap_or(0);
        // A place for the title, and the labels: the same for all panels.
        let left = 44 + LETTER * u32::try_from(labels).unwrap_or(10);
        let right = width.units() - RIGHT;
        let x = self.x.fitting(right.saturating_sub(left), LETTER);
        let (mut text, mut dashed) = (String::new(), String::new());
        {
            let root = SVGBackend::with_string(&mut text, (width.units(), height)).into_drawing_area();
            let mut rest = root.clone();
            for (index, panel) in self.panels.iter().enumerate() {
                let (area, below) = rest.split_vertically(panel.height);
                rest = below;
                let is_last = index + 1 == self.panels.len();
                panel.draw(&area, &x, left, is_last, &mut dashed).map_err(|error| error.to_string())?;
            }
            root.present().map_err(|error| error.to_string())?;
        }
        let body = text.find('>').map_or("", |end| &text[end + 1..]).trim_end().trim_end_matches("</svg>");
        // Without a size of its own, so that it takes the width that there is. The script wants to know where data is.
        Ok(format!(
            "<svg class=\"{}\" viewBox=\"0 0 {} {height}\" data-left=\"{left}\" data-right=\"{right}\" \
             xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\">{body}{dashed}</svg>",
            width.class(),
            width.units(),
            maud::html! { (self.title) }.into_string().replace('"', "&quot;"),
        ))
    }

    /// What a reader sees who points at a place: a line with the names, and one per place with how far along the axis it
    /// is, what stands there, and the value of each name. Tabs part the cells.
    pub(crate) fn values(&self) -> String {
        let named = || {
            self.panels.iter().flat_map(|panel| panel.series.iter().map(move |series| (series, &panel.y))).filter(
                |(series, _)| {
                    !series.name.is_empty() && matches!(series.shape, Shape::Line | Shape::Area | Shape::Fill)
                },
            )
        };
        let mut places: Vec<f64> = named().flat_map(|(series, _)| &series.points).map(|point| point.0).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let step = places.len().div_ceil(MOST_PLACES).max(1);
        let clean = |text: &str| text.replace(|letter: char| letter.is_control(), " ");
        let mut text = named().fold(clean(self.x.title()), |text, (series, _)| text + "\t" + &clean(&series.name));
        for place in places.into_iter().step_by(step) {
            let _ = write!(text, "\n{:.4}\t{}", self.x.part(place), self.x.say(place));
            for (series, y) in named() {
                let _ = write!(text, "\t{}", series.at(place).map_or_else(String::new, |value| y.say(value)));
            }
        }
        text
    }

    /// Names, colours and shapes of what the figure shows, each name once.
    pub(crate) fn legend(&self) -> Vec<&Series> {
        let mut legend: Vec<&Series> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !series.name.is_empty()
                && series.shape != Shape::Note
                && legend.iter().all(|known| known.name != series.name)
            {
                legend.push(series);
            }
        }
        legend
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl Panel {
    /// Draws the panel; its dashed lines, which plotters has no attribute for, are written into `dashed`.
    fn draw<'a>(&self, area: &Area<'a>, x: &Axis, left: u32, has_x_labels: bool, dashed: &mut String) -> Drawn<'a> {
        let bottom = self.y.ends().0;
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_left(6)
            .margin_right(RIGHT)
            .margin_bottom(if has_x_labels { 2 } else { 8 })
            .x_label_area_size(if has_x_labels { 42 } else { 4 })
            .y_label_area_size(left - 6)
            .build_cartesian_2d(x.clone(), self.y.clone())?;
        let label = ("sans-serif", 15).into_font().color(&INK);
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GREY)
            .label_style(label.clone())
            .axis_desc_style(label)
            .x_desc(if has_x_labels { x.title() } else { "" })
            .y_desc(self.y.title())
            .x_label_formatter(&|value| if has_x_labels { x.format_ext(value) } else { String::new() })
            .y_label_formatter(&|value| self.y.format_ext(value))
            .draw()?;
        for series in &self.series {
            let places = series.points.iter().copied();
            let (colour, line) = (series.colour, series.colour.stroke_width(2));
            match series.shape {
                Shape::Line => {
                    // What is never is no continuation of what is: there the line breaks.
                    for piece in series.points.chunk_by(|left, right| left.1.is_finite() == right.1.is_finite()) {
                        if let [alone] = piece {
                            // No line goes through a single point.
                            chart.draw_series([Circle::new(*alone, 5, line)])?;
                        } else if let Some((dash, gap)) = series.dash {
                            let points: Vec<String> = piece
                                .iter()
                                .map(|point| chart.backend_coord(point))
                                .map(|(x, y)| format!("{x},{y}"))
                                .collect();
                            let _ = writeln!(
                                dashed,
                                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" \
                                 stroke-dasharray=\"{dash} {gap}\" points=\"{}\"/>",
                                hex(colour),
                                points.join(" ")
                            );
                        } else {
                            chart.draw_series(LineSeries::new(piece.iter().copied(), line))?;
                        }
                    }
                    continue;
                }
                Shape::Limit => chart.draw_series(LineSeries::new(places, colour.stroke_width(1)))?,
                Shape::Area => {
                    chart.draw_series(AreaSeries::new(places, bottom, colour.mix(0.2)).border_style(line))?
                }
                Shape::Fill => chart.draw_series(AreaSeries::new(places, bottom, colour.mix(0.5)))?,
                Shape::Band => chart.draw_series([Polygon::new(places.collect::<Vec<_>>(), colour.mix(0.2))])?,
                Shape::Dots => {
                    // Where dots coincide, those below are the larger ones.
                    let radius = series.dash.map_or(5, |(dash, gap)| 2 + 3 * dash / (dash + gap));
                    chart.draw_series(places.map(|place| Circle::new(place, radius, colour.filled())))?
                }
                Shape::Diamonds => chart.draw_series(places.map(|place| {
                    let corners = [(0, -8), (8, 0), (0, 8), (-8, 0)];
                    EmptyElement::at(place) + Polygon::new(corners, colour.filled())
                }))?,
                Shape::Note => {
                    let above = Pos::new(HPos::Center, VPos::Bottom);
                    let style = ("sans-serif", 15).into_font().color(&colour).pos(above);
                    chart.draw_series(places.map(|place| {
                        EmptyElement::at(place) + Text::new(series.name.clone(), (0, -12), style.clone())
                    }))?
                }
                Shape::Circles => chart.draw_series(places.map(|place| Circle::new(place, 8, line)))?,
            };
        }
        Ok(())
    }
}

/// As plotters writes it; a page has other colours for it in the dark.
pub(crate) fn hex(colour: Colour) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number;

    fn figure() -> Figure {
        let points = (0..50).map(|x| (f64::from(x) * 60.0, f64::from(x * x))).collect();
        Figure {
            title: "Requests <per> second & more".to_owned(),
            x: Axis::time("time", 3_000.0, None),
            panels: vec![Panel {
                height: 260,
                y: Axis::from_zero("requests per second", 2_401.0, number::ratio, 5.0),
                series: vec![Series::new("offered", BLUE, Shape::Area, points)],
            }],
        }
    }

    #[test]
    fn a_figure_scales_has_a_name_and_texts_on_its_axes() {
        let svg = figure().svg(Width::Wide).unwrap();
        assert!(svg.starts_with("<svg class=\"wide\" viewBox=\"0 0 960 260\""));
        assert!(svg.contains("role=\"img\" aria-label=\"Requests &lt;per&gt; second &amp; more\""));
        for text in ["time (min)", "requests per second", "\n50\n", "\n2,000\n", "</svg>"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        let line = svg.lines().find(|line| line.starts_with("<polyline") && line.contains("#0072B2")).unwrap();
        assert_eq!(line.matches(',').count(), 50, "a point of the series each: {line}");
    }

    #[test]
    fn values_without_a_place_stay_inside() {
        let mut figure = figure();
        figure.panels[0].series[0].points = vec![(0.0, f64::INFINITY), (-5.0, f64::NAN), (1e12, -1.0)];
        let svg = figure.svg(Width::Narrow).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn the_legend_has_each_name_once() {
        let mut figure = figure();
        figure.panels.push(figure.panels[0].clone());
        figure.panels[0].series.push(Series::band(BLUE, &[(0.0, 1.0, 2.0)]));
        assert_eq!(figure.legend().len(), 1);
    }

    #[test]
    fn lines_that_coincide_show_in_each_others_gaps() {
        let dashes: Vec<_> =
            (0..3).map(|index| Series::new("", BLUE, Shape::Line, Vec::new()).among(index, 3).dash).collect();
        assert_eq!(dashes, [None, Some((16, 8)), Some((8, 16))]);
        let mut figure = figure();
        figure.panels[0].series[0].shape = Shape::Line;
        figure.panels[0].series[0].dash = dashes[1];
        assert_eq!(figure.svg(Width::Wide).unwrap().matches("stroke-dasharray=\"16 8\"").count(), 1);
    }

    #[test]
    fn never_has_a_place_of_its_own_above_all_values() {
        let mut figure = figure();
        let (panel, never) = (&mut figure.panels[0], f64::INFINITY);
        panel.y = Axis::from_zero("wait", 4.0, number::seconds, 4.0).with_never();
        panel.series = vec![Series::new(
            "",
            BLUE,
            Shape::Line,
            vec![(0.0, 4.0), (60.0, 4.0), (120.0, never), (180.0, never), (240.0, 1.0), (300.0, never)],
        )];
        let svg = figure.svg(Width::Wide).unwrap();
        let lines: Vec<&str> =
            svg.lines().filter(|line| line.starts_with("<polyline") && line.contains("#0072B2")).collect();
        assert_eq!(lines.len(), 2, "the line breaks: {svg}");
        let height = |line: &str| -> u32 {
            line.split_once("points=\"").unwrap().1.split([',', ' ']).nth(1).unwrap().parse().unwrap()
        };
        assert!(height(lines[0]) > height(lines[1]) + 15, "at the limit, and never: {svg}");
        assert!(svg.contains("\nnever\n") && svg.matches("<circle").count() == 2, "points alone: {svg}");
    }

    #[test]
    fn values_are_those_of_the_lines_at_each_place() {
        let mut figure = figure();
        figure.panels[0].series[0].points = vec![(0.0, 1.0), (60.0, 3.0), (120.0, 3.0)];
        figure.panels[0].series.push(Series::new("other\n", GREEN, Shape::Line, vec![(0.0, 1.0), (90.0, 4.0)]));
        let values = figure.values();
        let rows: Vec<Vec<&str>> = values.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows[0], ["time (min)", "offered", "other "]);
        assert_eq!(rows[1..3], [["0.0000", "0 min", "1", "1"], ["0.0200", "1 min", "3", "3"]]);
        // Between two points lies the line, and after the last nothing does.
        assert_eq!(rows[3..], [["0.0300", "1.5 min", "3", "4"], ["0.0400", "2 min", "3", ""]]);
    }
}
