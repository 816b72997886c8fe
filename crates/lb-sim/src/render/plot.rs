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

/// A colour.
pub(crate) type Colour = RGBColor;

/// Width of every figure; the page scales it.
const WIDTH: u32 = 960;

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
    /// Values on both axes.
    pub(crate) points: Vec<(f64, f64)>,
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
        Self { name: name.into(), colour, shape, points }
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
    pub(crate) fn svg(&self) -> Result<String, String> {
        let height = self.panels.iter().map(|panel| panel.height).sum::<u32>();
        let labels = self.panels.iter().map(|panel| panel.y.longest_label()).max().unwrap_or(0);
        // About the width of a letter each, and a place for the title: the same for all panels.
        let label_area = 40 + 8 * u32::try_from(labels).unwrap_or(10);
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            let mut rest = root.clone();
            for (index, panel) in self.panels.iter().enumerate() {
                let (area, below) = rest.split_vertically(panel.height);
                rest = below;
                let is_last = index + 1 == self.panels.len();
                panel.draw(&area, &self.x, label_area, is_last).map_err(|error| error.to_string())?;
            }
            root.present().map_err(|error| error.to_string())?;
        }
        Ok(accessible(&text, &self.title, height))
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
    fn draw<'a>(&self, area: &Area<'a>, x: &Axis, label_area: u32, has_x_labels: bool) -> Drawn<'a> {
        let bottom = self.y.ends().0;
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(24)
            .margin_bottom(if has_x_labels { 2 } else { 8 })
            .x_label_area_size(if has_x_labels { 42 } else { 4 })
            .y_label_area_size(label_area)
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
                Shape::Line => chart.draw_series(LineSeries::new(places, line))?,
                Shape::Limit => chart.draw_series(LineSeries::new(places, colour.stroke_width(1)))?,
                Shape::Area => {
                    chart.draw_series(AreaSeries::new(places, bottom, colour.mix(0.2)).border_style(line))?
                }
                Shape::Fill => chart.draw_series(AreaSeries::new(places, bottom, colour.mix(0.5)))?,
                Shape::Band => chart.draw_series([Polygon::new(places.collect::<Vec<_>>(), colour.mix(0.2))])?,
                Shape::Dots => chart.draw_series(places.map(|place| Circle::new(place, 4, colour.filled())))?,
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

/// With a role and a name, and with no size of its own, so that it takes the width that there is.
fn accessible(svg: &str, title: &str, height: u32) -> String {
    let body = svg.find('>').map_or("", |end| &svg[end + 1..]);
    let mut text = String::with_capacity(svg.len() + 200);
    let title = maud::html! { (title) }.into_string();
    let _ = write!(
        text,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"><title>{title}</title>{body}"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number;

    fn figure() -> Figure {
        let points = (0..50).map(|x| (f64::from(x) * 60.0, f64::from(x * x))).collect();
        Figure {
            title: "Requests <per> second & more".to_owned(),
            x: Axis::time("time", 3_000.0),
            panels: vec![Panel {
                height: 260,
                y: Axis::from_zero("requests per second", 2_401.0, number::ratio, 5.0),
                series: vec![Series::new("offered", BLUE, Shape::Area, points)],
            }],
        }
    }

    #[test]
    fn a_figure_scales_has_a_name_and_texts_on_its_axes() {
        let svg = figure().svg().unwrap();
        assert!(svg.starts_with("<svg viewBox=\"0 0 960 260\""));
        assert!(svg.contains("role=\"img\"><title>Requests &lt;per&gt; second &amp; more</title>"));
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
        let svg = figure.svg().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn the_legend_has_each_name_once() {
        let mut figure = figure();
        figure.panels.push(figure.panels[0].clone());
        figure.panels[0].series.push(Series::band(BLUE, &[(0.0, 1.0, 2.0)]));
        assert_eq!(figure.legend().len(), 1);
    }
}
