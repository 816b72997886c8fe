//! Configurations that are as they should be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{fs, path::Path, time::Duration};

use lb_config::Config;
use lb_core::{Backend, Credential, Pool, RotatingCredential, Step, ThreadRng};

const SAMPLE: &str = include_str!("../examples/balancer.toml");

const KEYS: [(&str, &str); 2] = [("PTU_KEY", "CANARY-A"), ("EU_KEY", "CANARY-B")];

/// The header that an attempt at the backend would carry now.
fn carried(backend: &Backend) -> String {
    let pool = Pool::new([backend.clone()]).unwrap();
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { panic!("no target") };
    let mut target = pool.target(&attempt);
    target.obtain_credential_now().unwrap();
    let mut request = http_request();
    target.address(&mut request).unwrap();
    let (name, value) = request.headers().iter().next().unwrap();
    format!("{name}: {}", value.to_str().unwrap())
}

fn http_request() -> http::Request<()> {
    http::Request::new(())
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn debug(config: &Config) -> String {
    format!("{:#?}", config.pool().unwrap())
}

#[test]
fn the_sample_is_what_it_says() {
    let config = Config::from_file(file("examples/balancer.toml")).unwrap().with_vars("LB", KEYS).unwrap();
    let pool = config.pool().unwrap().build().unwrap();
    let [ptu, eu, gateway] = pool.backends() else { panic!("{pool:?}") };
    assert_eq!((ptu.name(), ptu.priority(), ptu.weight(), ptu.deployment()), ("ptu", 1, 1, Some("gpt-4.1-ptu")));
    assert_eq!((eu.name(), eu.priority(), eu.weight(), &*eu.origin()), ("eu", 2, 3, "https://eu.openai.azure.com"));
    assert_eq!((gateway.path_prefix(), gateway.has_credential()), ("/team-a", false));
    assert_eq!([carried(ptu), carried(eu)], ["api-key: CANARY-A", "authorization: Bearer an-example-token"]);
    let options = debug(&config);
    assert!(options.contains("max_cooldown: 120s") && options.contains("404: FailOver"), "{options}");
}

/// The sample, with all that it comments out.
fn whole_sample() -> String {
    let is_setting = |line: &str| line[1..].starts_with(|c: char| c.is_ascii_lowercase());
    let used = SAMPLE.lines().map(|line| if line.starts_with('#') && is_setting(line) { &line[1..] } else { line });
    used.map(|line| format!("{line}\n")).collect::<String>().replace("keys/eu.token", "examples/keys/eu.token")
}

#[cfg(feature = "json")]
#[test]
fn the_lines_that_the_sample_comments_out_are_valid_too() {
    let config = Config::from_toml("balancer.toml", &whole_sample()).unwrap().with_vars("LB", KEYS).unwrap();
    let printed = debug(&config);
    for option in [
        "stalled_after: Some(\n            45s",
        "longest: 20s",
        "queue: 500",
        "deadline: Some(\n            60s",
        "fail_over_within: Some(\n            30s",
        "max_attempts: Some(\n            3",
    ] {
        assert!(printed.contains(option), "{option}: {printed}");
    }
    let pool = config.pool().unwrap().build().unwrap();
    assert_eq!(pool.backends()[0].model(), Some("gpt-4.1-ptu"));
    assert_eq!(pool.backends()[1].model_for("gpt-4.1-mini"), Some("mini-eu"));
}

#[cfg(feature = "json")]
#[test]
fn a_model_that_is_no_name_is_told_where_it_stands() {
    for (models, key) in
        [("model = ' '", "model"), ("model = 'a'\nmodels = { b = ' ' }", "models"), ("models = { '' = 'a' }", "models")]
    {
        let text = format!("[[backends]]\nendpoint = 'ptu.openai.azure.com'\n{models}");
        let error = Config::from_toml("x", &text).unwrap().pool().unwrap_err();
        assert_eq!(error.key(), Some(&*format!("backends[0].{key}")), "{error}");
    }
}

#[cfg(not(feature = "json"))]
#[test]
fn a_model_needs_a_feature_that_the_error_names() {
    let config = Config::from_toml("balancer.toml", &whole_sample()).unwrap().with_vars("LB", KEYS).unwrap();
    let error = config.pool().unwrap_err();
    assert_eq!(error.key(), Some("backends[0].model"));
    assert!(error.to_string().contains("the feature `json` of lb-config"), "{error}");
}

#[test]
fn every_option_and_every_key_is_in_the_sample() {
    let error = |text: &str| Config::from_toml("x", text).unwrap().pool().unwrap_err().to_string();
    for text in ["[options]\nqqqqqqqqqqqqqq = 1", "[[backends]]\nqqqqqqqqqqqqqq = 1"] {
        let error = error(text);
        let (_, known) = error.split_once("known are ").unwrap();
        assert!(known.split(", ").count() > 10, "{error}");
        for name in known.split(", ") {
            assert!(SAMPLE.contains(name), "{name}");
        }
    }
}

#[test]
fn json_and_variables_make_the_same_pool_as_toml() {
    let toml = "
        [options]
        strikes = 3
        on_status = { 404 = 'fail-over-and-cool' }
        wait = { longest = '20s', queue = 5 }
        [[backends]]
        name = 'eu_2'
        endpoint = 'https://eu.openai.azure.com/a'
        priority = 2
        weight = 7
        deployment = 'gpt'
        api_key_env = 'EU_KEY'
        caller_credential_headers = ['x-a', 'x-b']
        [[backends]]
        name = 'ptu'
        endpoint = 'ptu.openai.azure.com'
        forward_caller_credential = true";
    let json = r#"{
        "options": { "strikes": 3, "on_status": { "404": "fail-over-and-cool" }, "wait": { "longest": "20s", "queue": 5 } },
        "backends": [
            { "name": "eu_2", "endpoint": "https://eu.openai.azure.com/a", "priority": 2, "weight": 7, "deployment": "gpt",
              "api_key_env": "EU_KEY", "caller_credential_headers": ["x-a", "x-b"], "model": null },
            { "name": "ptu", "endpoint": "ptu.openai.azure.com", "forward_caller_credential": true }
        ] }"#;
    let variables = [
        ("EU_KEY", "CANARY-B"),
        ("LB_OPTIONS__STRIKES", "3"),
        ("LB_OPTIONS__ON_STATUS__404", "fail-over-and-cool"),
        ("LB_OPTIONS__WAIT__LONGEST", "20s"),
        ("LB_OPTIONS__WAIT__QUEUE", " 5 "),
        ("LB_BACKENDS__EU_2__ENDPOINT", "https://eu.openai.azure.com/a"),
        ("LB_BACKENDS__EU_2__PRIORITY", "2"),
        ("LB_BACKENDS__EU_2__WEIGHT", "7"),
        ("LB_BACKENDS__EU_2__DEPLOYMENT", "gpt"),
        ("LB_BACKENDS__EU_2__API_KEY_ENV", "EU_KEY"),
        ("LB_BACKENDS__EU_2__CALLER_CREDENTIAL_HEADERS", "x-a, x-b"),
        ("LB_BACKENDS__PTU__ENDPOINT", "ptu.openai.azure.com"),
        ("LB_BACKENDS__PTU__FORWARD_CALLER_CREDENTIAL", "true"),
        ("LBX_OPTIONS__STRIKES", "another program's"),
    ];
    let toml = Config::from_toml("a.toml", toml).unwrap().with_vars("LB", KEYS).unwrap();
    let json = Config::from_json("a.json", json).unwrap().with_vars("LB", KEYS).unwrap();
    let variables = Config::from_vars("LB", variables).unwrap();
    assert_eq!(debug(&toml), debug(&json));
    assert_eq!(debug(&toml), debug(&variables));
    let told = debug(&toml);
    for part in ["strikes: 3", "404: FailOverAndCool", "queue: 5", "weight: 7", "/a", "\"gpt\""] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("CANARY"));
}

#[test]
fn variables_go_before_the_file_key_by_key() {
    let text = "
        [options]
        strikes = 3
        max_attempts = 4
        wait = { longest = '20s', queue = 5 }
        [[backends]]
        endpoint = 'https://ptu.openai.azure.com'
        weight = 3
        api_key_env = 'NO_KEY'
        [[backends]]
        name = 'EU east'
        endpoint = 'eu.openai.azure.com'
        api_key_env = 'LB_EU_KEY'";
    let variables = [
        ("LB_OPTIONS__STRIKES", "1"),
        ("LB_OPTIONS__WAIT__QUEUE", "6"),
        // By its endpoint, because it has no name; another source takes the place of the file's.
        ("LB_BACKENDS__PTU_OPENAI_AZURE_COM__BEARER_TOKEN", "CANARY-T"),
        ("LB_BACKENDS__EU_EAST__WEIGHT", "9"),
        ("LB_BACKENDS__US__ENDPOINT", "us.openai.azure.com"),
        ("LB_BACKENDS__US__API_KEY_ENV", "LB_US_KEY"),
        ("LB_US_KEY", "CANARY-U"),
        // Named by the file, as the one above by a variable: it is a key, though it begins with the prefix.
        ("LB_EU_KEY", "CANARY-E"),
    ];
    let config = Config::from_toml("balancer.toml", text).unwrap().with_vars("LB", variables).unwrap();
    let pool = config.pool().unwrap().build().unwrap();
    let [ptu, eu, us] = pool.backends() else { panic!("{pool:?}") };
    assert_eq!((ptu.weight(), eu.weight(), us.name()), (3, 9, "us"));
    let expected = ["authorization: Bearer CANARY-T", "api-key: CANARY-E", "api-key: CANARY-U"];
    assert_eq!([carried(ptu), carried(eu), carried(us)], expected);
    let told = debug(&config);
    for part in ["strikes: 1", "longest: 20s", "queue: 6"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!format!("{told} {config:?} {pool:?}").contains("CANARY"));
}

#[test]
fn a_pools_own_options_go_before_those_for_all() {
    let text = "
        [options]
        strikes = 3
        on_status = { 404 = 'fail-over' }
        [pools.small]
        models = ['gpt-4.1-mini']
        [[pools.small.backends]]
        endpoint = 'ptu.openai.azure.com'
        [pools.'big one']
        models = ['gpt-4.1', 'gpt-5']
        [pools.'big one'.options]
        strikes = 1
        on_status = { 403 = 'fail-over' }
        [[pools.'big one'.backends]]
        endpoint = 'ptu.openai.azure.com'";
    let variables =
        [("LB_POOLS__BIG_ONE__OPTIONS__PEEK", "false"), ("LB_POOLS__SMALL__BACKENDS__B__ENDPOINT", "b.example")];
    let config = Config::from_toml("balancer.toml", text).unwrap().with_vars("LB", variables).unwrap();
    let pools = config.pools().unwrap();
    let [small, big] = &*pools else { panic!("{pools:?}") };
    assert_eq!((&*small.name, small.models.join(" ")), ("small", "gpt-4.1-mini".to_owned()));
    assert_eq!((&*big.name, big.models.join(" ")), ("big one", "gpt-4.1 gpt-5".to_owned()));
    let [small, big] = [small, big].map(|pool| format!("{:?}", pool.builder));
    assert!(
        small.contains("strikes: 3") && small.contains("{404: FailOver}") && small.contains("b.example"),
        "{small}"
    );
    assert!(big.contains("strikes: 1") && big.contains("{403: FailOver, 404: FailOver}"), "{big}");
    assert!(small.contains("peek: true") && big.contains("peek: false"), "{big}");
}

#[test]
fn a_source_of_the_program_is_named() {
    let text = "backends = [{ endpoint = 'ptu.openai.azure.com', credential_source = 'entra' }]";
    let source = RotatingCredential::new(Credential::bearer_token("CANARY-1").unwrap());
    let config = Config::from_toml("balancer.toml", text).unwrap().with_source("entra", source.clone());
    let pool = config.pool().unwrap().build().unwrap();
    source.rotate(Credential::bearer_token("CANARY-2").unwrap());
    assert_eq!(carried(&pool.backends()[0]), "authorization: Bearer CANARY-2");
    let error = Config::from_toml("balancer.toml", text).unwrap().with_source("azure", source).pool().unwrap_err();
    assert!(error.to_string().ends_with("it has azure"), "{error}");
}

#[test]
fn a_key_file_is_read_again_and_one_that_is_broken_keeps_its_key() {
    let folder = Folder::new("reload");
    let write = |name: &str, text: &str| fs::write(folder.0.join(name), text).unwrap();
    let text = "
        [[backends]]
        endpoint = 'ptu.openai.azure.com'
        api_key_file = 'ptu.key'
        [[backends]]
        endpoint = 'eu.openai.azure.com'
        api_key_file = 'eu.key'
        [[backends]]
        endpoint = 'us.openai.azure.com'
        api_key_file = 'ptu.key'";
    write("balancer.toml", text);
    write("ptu.key", "CANARY-A\r\n");
    write("eu.key", "CANARY-B");
    let config = Config::from_file(folder.0.join("balancer.toml")).unwrap();
    let pool = config.pool().unwrap().build().unwrap();
    let all = || pool.backends().iter().map(carried).collect::<Vec<_>>();
    assert_eq!(all(), ["api-key: CANARY-A", "api-key: CANARY-B", "api-key: CANARY-A"]);
    write("ptu.key", "");
    write("eu.key", "CANARY-C\n");
    let error = config.reload_keys().unwrap_err();
    assert!(error.to_string().contains("balancer.toml:4: backends[0].api_key_file: the file "), "{error}");
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
    assert_eq!(all(), ["api-key: CANARY-A", "api-key: CANARY-C", "api-key: CANARY-A"]);
    write("ptu.key", "CANARY-D");
    config.clone().reload_keys().unwrap();
    assert_eq!(all(), ["api-key: CANARY-D", "api-key: CANARY-C", "api-key: CANARY-D"]);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = Folder::new("files");
    let path = |name: &str| folder.0.join(name);
    fs::create_dir(path("folder.toml")).unwrap();
    fs::write(path("latin.toml"), b"[options]\n# gr\xfc\xdfe\n").unwrap();
    fs::write(path("pool.yaml"), "").unwrap();
    let error = |name: &str| {
        let error = Config::from_file(path(name)).unwrap_err();
        assert_eq!(error.file(), Some(&*path(name).display().to_string()));
        error.to_string().replace(&*folder.0.display().to_string(), "..")
    };
    let missing = "there is no such file; check the path, which begins at the working directory";
    assert_eq!(error("none.toml"), format!("../none.toml: {missing}"));
    assert_eq!(error("folder.toml"), "../folder.toml: it is a folder; give the path of a file in it");
    assert_eq!(error("latin.toml"), "../latin.toml:2: this is not UTF-8; save the file as UTF-8");
    let extension = "its name should end with .toml or .json, which says how it is read";
    assert_eq!(error("pool.yaml"), format!("../pool.yaml: {extension}"));
}

#[test]
fn a_prefix_is_a_word_in_capitals() {
    for prefix in ["", "lb", "LB_", "9", "L B"] {
        let error = Config::from_vars(prefix, KEYS).unwrap_err().to_string();
        assert_eq!(
            error,
            "prefix of environment variables: it should be a word in capitals, such as LB, to which _ is added"
        );
    }
    let variables = [("MY_LB2_BACKENDS__PTU__ENDPOINT", "ptu.openai.azure.com")];
    assert!(Config::from_vars("MY_LB2", variables).unwrap().pool().is_ok());
}

#[test]
fn a_table_of_the_program_is_read_with_places_and_left_alone() {
    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Server {
        port: u16,
        ratio: Option<f64>,
        #[serde(default)]
        level: Level,
    }
    #[derive(serde::Deserialize, Debug, PartialEq, Default)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        #[default]
        Info,
        Debug,
        Every(u32),
    }
    let text = "[server]\nport = 80\nlevel = { every = 3 }\n[[backends]]\nendpoint = 'ptu.openai.azure.com'\n";
    let config = Config::from_toml("app.toml", text).unwrap();
    let unknown = config.pool().unwrap_err().to_string();
    assert!(unknown.starts_with("app.toml:1: server: there is no such name here"), "{unknown}");
    let mut config = config.with_vars("LB", [("LB_SERVER__RATIO", "0.5")]).unwrap();
    let server: Server = config.take("server").unwrap();
    assert_eq!(server, Server { port: 80, ratio: Some(0.5), level: Level::Every(3) });
    assert_eq!(config.take::<Option<Server>>("client").unwrap(), None);
    let missing = config.take::<Server>("client").unwrap_err().to_string();
    assert_eq!(missing, "app.toml:1: client: it is missing");
    assert!(config.pool().is_ok());
    for (from, to, says) in [
        ("80", "80000", "app.toml:2: server.port: it is 80000, and should be a whole number from 0 to 65535"),
        ("port", "prt", "app.toml:2: server.prt: there is no such name here; did you mean port?"),
        (
            "{ every = 3 }",
            "'debg'",
            "app.toml:3: server.level: did you mean \"debug\"? it should be one of \"info\", \"debug\", \"every\"",
        ),
        (
            "{ every = 3 }",
            "'every'",
            "app.toml:3: server.level: it is text, and should be a table with this name in it",
        ),
        ("{ every = 3 }", "3", "app.toml:3: server.level: it is a whole number, and should be text in quotes"),
    ] {
        let mut config = Config::from_toml("app.toml", &text.replace(from, to)).unwrap();
        assert_eq!(config.take::<Server>("server").unwrap_err().to_string(), says);
    }
    assert_eq!(Level::Debug, Config::from_json("x", r#"{"a": "debug"}"#).unwrap().take("a").unwrap());
    for backend in ["0", "ptu.openai.azure.com"] {
        let own = config.error(&["backends", backend, "deployment"], "it is missing; write it");
        assert_eq!(own.to_string(), "app.toml:4: backends[0].deployment: it is missing; write it");
    }
    let own = config.error(&["server", "port"], "it is in use");
    assert_eq!((own.line(), own.key()), (Some(2), Some("server.port")));
}

/// A folder of a test's own.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lb-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn spans_of_time_are_those_of_the_core() {
    let config =
        Config::from_toml("x", "options.deadline = '1h 30m'\nbackends = [{ endpoint = 'a.example' }]").unwrap();
    let expected = format!("{:?}", Some(Duration::from_secs(5400)));
    assert!(format!("{:?}", config.pool().unwrap()).contains(&expected));
}
