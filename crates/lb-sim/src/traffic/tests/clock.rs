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

#[test]
fn a_file_whose_dates_say_no_zone_is_of_its_time_zone() {
    let local = "time,input,output\n2024-05-01 12:00:00,1,1\n2024-05-01 12:00:10,1,1\n";
    let folder = folder("zone", &[("early.csv", EXPORT), ("trace.csv", local)]);
    let begins = |more: &str| {
        let trace = workload(&format!("kind = \"trace\"\nfile = \"trace.csv\"\n{more}"));
        let workloads = [workload("kind = \"azure_monitor\"\nfile = \"early.csv\""), trace];
        let loaded = Traffic::load(&workloads, &folder).unwrap();
        let found = all(Traffic::with(&workloads, &loaded, 1.0, Draws::new(1), None).unwrap());
        found.iter().filter(|arrival| arrival.workload == 1).map(|arrival| arrival.at / SECOND).collect::<Vec<_>>()
    };
    // The export begins at 10:00 UTC.
    assert_eq!(begins(""), [7_200, 7_210]);
    assert_eq!(begins("time_zone = \"+02:00\""), [0, 10]);
    assert_eq!(begins("time_zone = \"+01:30\""), [1_800, 1_810]);
    assert_eq!(error(sized("kind = \"poisson\"\nrate = 1\ntime_zone = \"Z\"")).key(), "workload.w.time_zone");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_negative_offset_is_earlier_and_leaves_out_what_is_before_the_begin() {
    let rows: String = (0..200).map(|second| format!("{second},1,1\n")).collect();
    let folder = folder("offset", &[("trace.csv", &format!("time,input,output\n{rows}"))]);
    let found = |offset: &str| {
        let trace = [workload(&format!("kind = \"trace\"\nfile = \"trace.csv\"\noffset = \"{offset}\""))];
        let loaded = Traffic::load(&trace, &folder).unwrap();
        let traffic = Traffic::with(&trace, &loaded, 1.0, Draws::new(1), None).unwrap();
        (traffic.until() / SECOND, all(traffic).iter().map(|arrival| arrival.at / SECOND).collect::<Vec<_>>())
    };
    assert_eq!(found("0s"), (200, (0..200).collect()));
    assert_eq!(found("5s"), (205, (5..205).collect()));
    // More than one block of what is drawn ahead is left out.
    assert_eq!(found("-130s"), (70, (0..70).collect()));
    assert_eq!(found("-200s"), (0, Vec::new()));
    let rates = "kind = \"rate_table\"\ncv = 1e-3\nrates = [{ at = \"0s\", rate = 1 }, { at = \"50s\", rate = 1 }, \
                 { at = \"50s\", rate = 4 }, { at = \"100s\", rate = 4 }]\noffset = \"-50s\"";
    let late = all(Traffic::new(&[sized(rates)], &folder, 1.0, Draws::new(1), Some(50 * SECOND)).unwrap());
    assert!((199..=201).contains(&late.len()), "{}", late.len());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_starts_over_in_no_time_is_refused() {
    let files = [("once.csv", "time,input,output\n1,1,1\n"), ("rates.csv", "time,rate\n0,1\n1,1\n")];
    let folder = folder("cycles", &files);
    let error = |text: &str| {
        let problem = Traffic::new(&[sized(text)], &folder, 1.0, Draws::new(1), Some(SECOND)).unwrap_err();
        assert!(problem.to_string().contains("1 ms at least"), "{problem}");
        problem.key().to_owned()
    };
    assert_eq!(error("kind = \"trace\"\nfile = \"once.csv\"\nloop = true"), "workload.w.loop");
    let nanos = "columns = { time = \"time\", time_unit = \"1ns\" }";
    assert_eq!(error(&format!("kind = \"rate_table\"\nfile = \"rates.csv\"\n{nanos}")), "workload.w.file");
    let second = "kind = \"rate_table\"\nrates = [{ at = \"0s\", rate = 1 }, { at = \"1s\", rate = 1 }]";
    assert_eq!(error(&format!("{second}\nspeed = 2000.0")), "workload.w.rates");
    assert!(Traffic::new(&[sized(second)], &folder, 1.0, Draws::new(1), Some(SECOND)).is_ok());
    fs::remove_dir_all(folder).unwrap();
}
