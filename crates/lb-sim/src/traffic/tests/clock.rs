//! When files with dates begin.

use super::*;

#[test]
fn files_with_dates_share_one_clock() {
    let trace = "time,input,output\n2024-05-01T12:00:00+02:00,1,1\n2024-05-01T12:00:10+02:00,1,1\n";
    let files = [("early.csv", EXPORT), ("late.csv", &EXPORT.replace("T10:", "T19:")), ("trace.csv", trace)];
    let folder = folder("clock", &files);
    let export = |more: &str| workload(&format!("kind = \"azure_monitor\"\n{more}"));
    let workloads = [
        export("file = \"late.csv\""),
        export("file = \"early.csv\""),
        workload("kind = \"trace\"\nfile = \"trace.csv\"\noffset = \"30s\""),
        sized("kind = \"constant\"\nrate = 0.001"),
    ];
    let loaded = Traffic::load(&workloads, &folder).unwrap();
    let traffic = Traffic::with(&workloads, &loaded, 1.0, Draws::new(1), None).unwrap();
    assert_eq!(traffic.until(), (9 * 3_600 + 180) * SECOND);
    let mut first = [u64::MAX; 4];
    let found = all(traffic);
    for arrival in &found {
        let at = &mut first[arrival.workload as usize];
        *at = (*at).min(arrival.at / SECOND);
    }
    assert!(first[0] / 3_600 == 9 && first[1] < 60, "{first:?}");
    // Noon at +02:00 is when the early export begins.
    assert_eq!((first[2], first[3]), (30, 0));
    assert_eq!(found.iter().filter(|arrival| arrival.workload == 0).count(), 640);
    assert!(
        loaded.notes().iter().any(|note| note.starts_with("late.csv: it begins 9 h after")),
        "{:?}",
        loaded.notes()
    );
    assert_eq!(error(sized("kind = \"poisson\"\nrate = 1\noffset = \"1s\"")).key(), "workload.w.offset");
    fs::remove_dir_all(folder).unwrap();
}
