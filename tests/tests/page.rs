//! The web page in a real browser: it is opened, numbers rise, every page is clicked through, actions act, nothing is markup.

use squall_core::control::TopologyState;
use squall_tests::browser::Browser;
use squall_tests::model_file::logistic;
use squall_tests::{Cluster, Machine, repository, wait_until};

/// Text as an attacker would have it. The console bolt writes it into the log, the fail bolt's errors are nimbus's to show.
const SCRIPT: &str = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>";

const TOPOLOGY: &str = r#"
name = "page"
[config]
workers = 2
message_timeout = "5s"
[spouts.numbers]
type = "sequence"
config = { rate = 200 }
[spouts.evil]
type = "const"
config = { value = { text = "SCRIPT" }, limit = 3 }
[bolts.same]
type = "identity"
parallelism = 2
inputs = [{ from = "numbers", grouping = "shuffle" }]
[bolts.flaky]
type = "fail"
inputs = [{ from = "same", grouping = "shuffle" }]
config = { every = 100, limit = 5 }
[bolts.wild]
type = "fail"
inputs = [{ from = "same", grouping = "shuffle" }]
config = { every = 50, limit = 2, panic = true }
[bolts.print]
type = "console"
inputs = [{ from = "flaky", grouping = "global" }, { from = "evil", grouping = "global" }]
"#;

/// A number that the page shows in a tile.
fn tile(label: &str) -> String {
    format!("[...document.querySelectorAll('.tile')].find((t) => t.querySelector('.label').textContent === '{label}')")
}

fn start() -> (Cluster, Browser) {
    let cluster = Cluster::start(&[Machine::new("one", 3), Machine::new("two", 3)]);
    let toml = TOPOLOGY.replace("SCRIPT", &SCRIPT.replace('"', "\\\""));
    cluster.submit(&toml);
    cluster.running("page");
    let link = cluster.squall(&["ui"]).ok().stdout.trim().to_owned();
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open(&link);
    browser.wait("document.querySelector('.tiles')");
    (cluster, browser)
}

#[test]
fn numbers_rise_every_page_opens_and_nothing_is_markup() {
    let (cluster, mut browser) = start();
    // The first paint: nimbus's own share of it, not the browser's start.
    let paint = browser.eval("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0");
    eprintln!("first paint after {paint} ms");

    browser.click("a", "page");
    browser.wait(&format!("/[1-9]/.test({}.querySelector('.big').textContent)", tile("Emitted")));
    browser.eval("window.before = document.querySelectorAll('.tile')[0].textContent");
    browser.wait("document.querySelectorAll('.tile')[0].textContent !== window.before");
    browser.wait("[...document.querySelectorAll('.flow')].some((f) => f.textContent.endsWith('/s'))");
    browser.wait("document.querySelector('path.line.a').getAttribute('d').includes('L')");
    assert_eq!(browser.eval("document.querySelectorAll('.node').length"), 6);
    browser.wait("document.body.innerText.includes('failed on purpose')");
    // Also where errors of two components are so close that they are one line.
    for text in ["flaky: failed on purpose", "wild: panicked"] {
        browser.wait(&format!(
            "[...document.querySelectorAll('.mark.error title')].some((t) => t.textContent.includes('{text}'))"
        ));
    }
    browser.wait("document.querySelector('[aria-label=Errors] details')");
    browser.click("[aria-label=Errors] summary", "panicked at components/src/bolts/fail.rs");
    browser.wait("document.querySelector('[aria-label=Errors] details[open] .stack').innerText.includes('bolts::fail')");
    // The topology's file is shown as it is.
    browser.wait("document.body.innerText.includes('<script>')");
    browser.picture("topology");

    // A component, by its box in the graph and by the keyboard's way: a link that has the focus.
    browser.eval("[...document.querySelectorAll('.node')].find((n) => n.textContent.includes('same')).focus()");
    browser.click(".node", "same");
    browser.wait("document.querySelector('h1')?.textContent === 'same'");
    browser.wait("document.querySelectorAll('[aria-label=Tasks] tbody tr').length === 2");
    browser.wait("document.querySelector('rect.column')");
    browser.fill("select[aria-label='Whose charts']", "3");
    browser.wait("document.querySelector('path.line.a').getAttribute('d').includes('L')");
    browser.click("#tap", "Watch tuples");
    browser.wait("document.querySelectorAll('.lines.short .row').length > 2");
    browser.wait(
        "(() => { const all = [...document.querySelectorAll('.lines.short time')].map((t) => t.title); \
         return all.every((t, i) => !i || t <= all[i - 1]); })()",
    );
    browser.wait("document.querySelector('[aria-label=Errors]').textContent.includes('No errors.')");
    browser.picture("component");

    // Another has errors, its own only, emits what nobody takes, and leads to the log of its worker.
    browser.eval("location.hash = '#/t/page/c/wild'");
    browser.wait("document.querySelector('[aria-label=Errors]').textContent.includes('panicked on purpose')");
    assert_eq!(browser.eval("document.querySelector('[aria-label=Errors]').textContent.includes('failed on purpose')"), false);
    browser.wait("document.querySelector('[aria-label=Emits] [data-label=To]').textContent === 'nobody'");
    browser.click("#tap", "Watch tuples");
    browser.wait("document.querySelectorAll('.lines.short .row').length > 2");
    assert_eq!(browser.eval("document.querySelector('#nav [aria-current]').textContent"), "Cluster");
    browser.click("[aria-label=Tasks] [data-label=Worker] a", "");
    browser.wait("document.querySelector('select[aria-label=Worker]')?.value === location.hash.at(-1)");

    // Logs: the line is there, as text.
    browser.eval("location.hash = '#/t/page/logs'");
    browser.wait("document.querySelectorAll('.row').length > 3");
    browser.fill("input[type=search]", "<SCRIPT>");
    browser.click("button", "Search all files");
    // The rows before the answer may be three as well.
    let found = serde_json::json!(SCRIPT);
    browser.wait(&format!(
        "document.querySelectorAll('.row').length === 3 && \
         [...document.querySelectorAll('.row')].every((r) => r.textContent.includes({found}))"
    ));
    browser.picture("logs");
    browser.fill("select[aria-label='Least level']", "error");
    browser.wait("document.querySelectorAll('.row').length === 0");

    // The daemons' own logs, nimbus's and both supervisors', in one list.
    browser.eval("location.hash = '#/logs'");
    browser.click("a", "nimbus and supervisors");
    browser.wait("[...document.querySelectorAll('.row')].some((r) => r.textContent.includes('topology submitted'))");
    browser.wait("[...document.querySelectorAll('.row')].filter((r) => r.textContent.includes('worker started')).length === 2");
    browser.picture("daemons");
    browser.fill("select[aria-label='Daemon']", "nimbus");
    browser.wait("[...document.querySelectorAll('.row')].some((r) => r.textContent.includes('topology submitted'))");
    browser.wait("![...document.querySelectorAll('.row')].some((r) => r.textContent.includes('worker started'))");

    // Times are those of here, as everywhere on the page; what is pointed at says what the file says.
    browser.call("Emulation.setTimezoneOverride", serde_json::json!({"timezoneId": "Asia/Kolkata"}));
    browser.fill("select[aria-label='Least level']", "info");
    browser.wait(
        "(() => { const all = [...document.querySelectorAll('.row time')]; const shift = 5.5 * 3600000; return all.length > 0 && \
         all.every((t) => t.textContent.endsWith(new Date(Date.parse(t.title) + shift).toISOString().slice(11, 23))); })()",
    );

    browser.eval("location.hash = '#/models'");
    browser.wait("document.querySelector('h1')?.textContent === 'Models'");
    browser.eval("location.hash = '#/'");
    browser.wait(&format!("{}?.querySelector('.big').textContent === '2/6'", tile("Slots")));
    browser.click("#theme", "");
    browser.picture("cluster-dark");
    browser.resize(390, 844, true);
    browser.wait("document.documentElement.scrollWidth <= 390");
    browser.picture("cluster-phone");
    // What a topology waits for is said in short, and in full where it is pointed at.
    let id = "0123456789abcdef".repeat(2);
    let shown = browser.eval(&format!(
        "import('/ui/pages/cluster.js').then((m) => m.stateOf({{ state: 'ACTIVE', waiting: 'supervisor {id} is silent' }}).textContent)"
    ));
    assert_eq!(shown, "ACTIVE supervisor 01234567 is silent");
    browser.eval("location.hash = '#/t/page'");
    browser.wait("document.querySelector('pre.error')?.getBoundingClientRect().right <= 390");
    browser.wait(
        "(() => { const g = document.querySelector('.graph'); return g.clientWidth >= 0.8 * g.viewBox.baseVal.width; })()",
    );
    browser.picture("topology-phone");
    assert_eq!(browser.eval("window.hacked ?? null"), serde_json::Value::Null, "a tuple became a script");
    assert_eq!(browser.troubles(), [] as [String; 0]);
    drop(cluster);
}

#[test]
fn actions_act_after_they_were_confirmed() {
    let (cluster, mut browser) = start();
    browser.eval("location.hash = '#/t/page'");
    browser.click(".actions button", "Deactivate");
    browser.click("dialog button", "Cancel");
    browser.wait("!document.querySelector('dialog')");
    assert_eq!(cluster.topology("page").unwrap().state, TopologyState::Active, "nothing happens without the confirmation");
    browser.click(".actions button", "Deactivate");
    browser.click("dialog button[type=submit]", "Deactivate");
    browser.wait("document.querySelector('#state').textContent === 'INACTIVE'");
    browser.click(".actions button", "Activate");
    browser.wait("document.querySelector('#state').textContent === 'ACTIVE'");

    browser.click(".actions button", "Log level");
    browser.click("dialog button[type=submit]", "Set");
    browser.wait("!document.querySelector('dialog')");
    let levels: serde_json::Value = cluster.try_get("/v1/topologies/page/log").unwrap();
    assert_eq!(levels[0]["level"], "debug", "{levels}");
    browser.wait("document.querySelector('#levels').textContent.startsWith('All loggers log at debug until ')");
    browser.click("#levels button", "End now");
    browser.wait("!document.querySelector('#levels').textContent");
    let levels: serde_json::Value = cluster.try_get("/v1/topologies/page/log").unwrap();
    assert_eq!(levels, serde_json::json!([]));

    browser.click(".actions button", "Rebalance");
    browser.fill("[name='c:same']", "0");
    browser.eval("document.querySelector('dialog form').noValidate = true");
    browser.click("dialog button[type=submit]", "Rebalance");
    browser.wait("document.querySelector('dialog .wrong').textContent.includes('at least 1')");
    browser.forget_troubles();
    browser.fill("[name='c:same']", "4");
    browser.fill("[name=workers]", "3");
    browser.fill("[name=wait]", "1");
    browser.picture("rebalance");
    browser.click("dialog button[type=submit]", "Rebalance");
    browser.wait("!document.querySelector('dialog')");
    browser.wait("document.querySelectorAll('[aria-label=Workers] tbody tr').length === 3");
    let status = cluster.running("page");
    assert_eq!(status.components.iter().find(|c| c.id == "same").map(|c| c.tasks), Some(4));
    browser.wait("[...document.querySelectorAll('.node')].some((n) => n.textContent.includes('identity × 4'))");

    let before = status.workers[0].pid;
    browser.click("[aria-label=Workers] td button", "Restart");
    browser.click("dialog button[type=submit]", "Restart");
    browser.wait("!document.querySelector('dialog')");
    cluster.wait("page", "a worker is another process", |t| t.workers[0].pid.is_some_and(|pid| Some(pid) != before));

    // A topology of many components has a filter of its fields.
    browser.eval(
        "import('/ui/dialog.js').then((d) => { d.ask({ title: 'Many', verb: 'Go', run() {}, \
         fields: Array.from({ length: 20 }, (_, i) => ({ name: `f${i}`, label: `Tasks of step ${i}`, filtered: true })) }); })",
    );
    browser.fill("dialog [type=search]", "Step 1");
    browser.wait("document.querySelectorAll('dialog .field:not([hidden]) [name]').length === 11");
    browser.click("dialog button", "Cancel");
    browser.wait("!document.querySelector('dialog')");

    browser.click(".actions button", "Kill");
    browser.fill("dialog [name=wait]", "0");
    browser.click("dialog button[type=submit]", "Kill page");
    browser.wait("document.querySelector('h1')?.textContent === 'page is gone'");
    wait_until("it is gone", || cluster.topology("page").is_none());
    // What the page asked at the very moment may have been answered that it is gone; nothing else went wrong.
    let others: Vec<&String> = browser.troubles().iter().filter(|t| !t.contains("404")).collect();
    assert_eq!(others, [] as [&String; 0]);
}

const SCORING: &str = r#"
name = "scoring"
[models.m]
path = "0.pkl"
[spouts.numbers]
type = "sequence"
config = { rate = 500 }
[bolts.classify]
type = "classifier"
inputs = [{ from = "numbers", grouping = "shuffle" }]
config = { model = "m", features = ["n"], emit = ["label"] }
"#;

#[test]
fn a_model_is_deployed_from_a_file_in_the_browser() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    let file = |name: &str, features, coefficient| {
        let path = cluster.dir().join(name);
        logistic(&path, (3, features), |_| coefficient, |_| 1.0);
        path.to_string_lossy().into_owned()
    };
    // The last one is another than the first only in its bytes.
    let (_, more, good) = (file("0.pkl", 1, 0.0), file("more.pkl", 7, 0.0), file("other.pkl", 1, 0.5));
    let bad = cluster.file("notes.txt", "no model <script>");
    cluster.submit(SCORING);
    cluster.running("scoring");
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open(cluster.squall(&["ui"]).ok().stdout.trim());
    browser.wait("document.querySelector('.tiles')");
    browser.eval("location.hash = '#/t/scoring'");

    browser.click("button", "Deploy a file");
    for (file, why) in [(&bad, "notes.txt: "), (&more, "`classify` cannot use more.pkl: ")] {
        browser.choose("dialog [type=file]", file);
        browser.click("dialog button[type=submit]", "Deploy");
        browser.wait(&format!("document.querySelector('dialog .wrong:not([hidden])')?.textContent.includes('{why}')"));
        eprintln!("refused: {}", browser.eval("document.querySelector('dialog .wrong').textContent"));
    }
    browser.picture("deploy-refused");
    browser.forget_troubles();
    browser.choose("dialog [type=file]", &good);
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait("!document.querySelector('dialog')");
    browser.wait("[...document.querySelectorAll('[aria-label=\"Versions of m\"] tbody tr')].some((r) => r.textContent.startsWith('2current'))");
    let versions: serde_json::Value = cluster.squall(&["model", "history", "m", "--json"]).ok().json();
    assert!(versions.to_string().contains("other.pkl"), "{versions}");

    let scored = "document.querySelector('[aria-label=\"Versions of m\"] [data-label=\"Rows scored\"]').textContent";
    browser.wait(&format!("/[1-9]/.test({scored})"));
    browser.click("button", "Roll back to it");
    browser.click("dialog button[type=submit]", "Roll back");
    browser.wait("[...document.querySelectorAll('[aria-label=\"Versions of m\"] tbody tr')].some((r) => r.textContent.startsWith('1current'))");
    // What is told anew takes no focus away. Of the version that came twice the rows are told once, and only to the other one goes back.
    browser.eval("document.querySelector('[aria-label=\"Roll back to version 2\"]').focus()");
    browser.eval(&format!("window.before = {scored}"));
    browser.wait(&format!("{scored} !== window.before"));
    assert_eq!(browser.eval("document.activeElement.ariaLabel"), "Roll back to version 2");
    let told = browser.eval(
        "[...document.querySelectorAll('[aria-label=\"Versions of m\"] tbody tr')].map((r) => \
         [r.cells[0].textContent, /[1-9]/.test(r.cells[5].textContent), r.querySelectorAll('button').length])",
    );
    assert_eq!(told, serde_json::json!([["1", true, 0], ["2", true, 1], ["1", false, 0]]));
    browser.picture("versions");

    browser.eval("location.hash = '#/models'");
    browser.wait("document.querySelector('[aria-label=Models] [data-label=Version]')?.textContent === '1'");
    browser.wait("[...document.querySelectorAll('svg.scores .axis')].map((t) => t.textContent).join() === '0,1'");
    browser.wait("document.querySelector('svg.scores rect.column')");
    browser.picture("models");
    assert_eq!(browser.troubles(), [] as [String; 0]);
}

const SPAM: &str = r#"
name = "spam"
[models.m]
path = "0.xgb"
labels = ["ham", "spam"]
[spouts.mail]
type = "sequence"
config = { rate = 200 }
[bolts.classify]
type = "classifier"
inputs = [{ from = "mail", grouping = "shuffle" }]
config = { model = "m", features = ["n", "n", "n", "n", "n"], emit = ["label"] }
[bolts.write]
type = "jsonl"
tick = "100ms"
inputs = [{ from = "classify", grouping = "shuffle" }]
config = { path = "PATH" }
"#;

#[test]
fn a_model_whose_file_keeps_no_labels_gets_them_on_the_page() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    let copy = |from: &str, to: &str| {
        let path = cluster.dir().join(to);
        std::fs::copy(repository().join("model/tests/fixtures/cases").join(from), &path).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (_, other) = (copy("xgboost-two.json.xgb", "0.xgb"), copy("xgboost-two.ubj.xgb", "other.xgb"));
    let written = cluster.dir().join("labels.jsonl");
    cluster.submit(&SPAM.replace("PATH", &written.to_string_lossy()));
    cluster.running("spam");
    let mut browser = Browser::start();
    browser.resize(1280, 900, false);
    browser.open(cluster.squall(&["ui"]).ok().stdout.trim());
    browser.wait("document.querySelector('.tiles')");
    browser.eval("location.hash = '#/t/spam'");
    let current = |version: u32| {
        format!(
            "[...document.querySelectorAll('[aria-label=\"Versions of m\"] tbody tr')].some((r) => r.textContent.startsWith('{version}current'))"
        )
    };
    browser.wait(&current(1));

    // The labels that the topology gives the model, without being asked.
    browser.click("button", "Deploy a file");
    browser.wait("document.querySelector('dialog [name=labels]').placeholder === 'ham, spam'");
    browser.choose("dialog [type=file]", &other);
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait(&current(2));
    let history = || -> serde_json::Value { cluster.squall(&["model", "history", "m", "--json"]).ok().json() };
    let labels = |of: &serde_json::Value| of["history"][0]["labels"].clone();
    assert_eq!(labels(&history()), serde_json::json!(["ham", "spam"]), "{}", history());

    // Others, but as many as there are classes.
    browser.click("button", "Deploy a file");
    browser.choose("dialog [type=file]", &other);
    browser.fill("dialog [name=labels]", "good");
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait("document.querySelector('dialog .wrong:not([hidden])')?.textContent.includes('there are 1, and the model has 2 classes')");
    browser.picture("deploy-labels");
    browser.forget_troubles();
    browser.fill("dialog [name=labels]", "[\"good, really\", \"bad\"]");
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait(&current(3));
    let seen = |label: &str| std::fs::read_to_string(&written).is_ok_and(|text| text.contains(&format!("\"{label}\"")));
    wait_until("labels of both versions", || (seen("ham") || seen("spam")) && (seen("good, really") || seen("bad")));

    // As on the page, so by the command: those of the version in use.
    let third = copy("xgboost-two.json.xgb", "third.xgb");
    cluster.squall(&["model", "deploy", "m", &third]).ok();
    assert_eq!(labels(&history()), serde_json::json!(["good, really", "bad"]), "{}", history());
    assert_eq!(browser.troubles(), [] as [String; 0]);
}

#[test]
fn an_upload_that_breaks_off_says_so_and_leaves_nothing() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1)]);
    for (name, coefficient) in [("0.pkl", 0.0), ("other.pkl", 0.5)] {
        logistic(&cluster.dir().join(name), (3, 1), |_| coefficient, |_| 1.0);
    }
    let large = cluster.dir().join("large.pkl");
    std::fs::File::create(&large).and_then(|f| f.set_len(30_000_000)).unwrap();
    cluster.submit(SCORING);
    cluster.running("scoring");
    let mut browser = Browser::start();
    browser.open(cluster.squall(&["ui"]).ok().stdout.trim());
    browser.wait("document.querySelector('.tiles')");
    browser.eval("location.hash = '#/t/scoring'");

    // So slow that nimbus ends in the middle of it.
    browser.call("Network.enable", serde_json::json!({}));
    let network =
        |upload: i64| serde_json::json!({"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload});
    browser.call("Network.emulateNetworkConditions", network(500_000));
    browser.click("button", "Deploy a file");
    browser.choose("dialog [type=file]", &large.to_string_lossy());
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait("document.querySelector('dialog [role=status]')?.textContent.startsWith('Sending large.pkl')");
    let files = |folder: &str| std::fs::read_dir(cluster_dir(&cluster, folder)).unwrap().count();
    wait_until("the upload begins", || files("imports") > 0);
    let blobs = files("blobs");
    cluster.nimbus().kill();
    browser.wait("document.querySelector('dialog .wrong:not([hidden])')?.textContent.startsWith('large.pkl: the upload broke off after ')");
    browser.wait("document.querySelector('dialog .wrong').textContent.endsWith(': try it again when nimbus is back.')");
    browser.picture("deploy-broken-off");
    browser.call("Network.emulateNetworkConditions", network(-1));
    cluster.start_nimbus();
    let files = |folder: &str| std::fs::read_dir(cluster_dir(&cluster, folder)).unwrap().count();
    assert_eq!((files("imports"), files("blobs")), (0, blobs), "nothing half-written stays");
    browser.wait("document.querySelector('#lost').hidden");
    browser.forget_troubles();

    browser.choose("dialog [type=file]", &cluster.dir().join("other.pkl").to_string_lossy());
    browser.click("dialog button[type=submit]", "Deploy");
    browser.wait("!document.querySelector('dialog')");
    browser.wait("[...document.querySelectorAll('[aria-label=\"Versions of m\"] tbody tr')].some((r) => r.textContent.startsWith('2current'))");
    assert_eq!(browser.troubles(), [] as [String; 0]);
}

fn cluster_dir(cluster: &Cluster, folder: &str) -> std::path::PathBuf {
    cluster.dir().join("nimbus").join(folder)
}

const BUSY: &str = r#"
name = "busy"
[spouts.numbers]
type = "sequence"
config = { rate = 2000 }
[bolts.print]
type = "console"
inputs = [{ from = "numbers", grouping = "shuffle" }]
"#;

/// What the busy topology has emitted in all, as a page shows it.
fn numbers_in_all() -> String {
    format!("{}.querySelector('.note').textContent", tile("Emitted"))
}

#[test]
fn many_tabs_are_live_and_a_busy_log_stays_short() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(BUSY);
    cluster.running("busy");
    let mut browser = Browser::start();
    browser.open(cluster.squall(&["ui"]).ok().stdout.trim());
    browser.wait("document.querySelector('#live')?.textContent === 'live'");

    // More tabs than a browser opens connections to a host. The last opened is the one that is seen.
    let numbers = format!("{}?.querySelector('.big').textContent", tile("Emitted"));
    browser.eval("window.tabs = []");
    for opened in 1..=8 {
        browser.eval("tabs.push(window.open('/#/t/busy'))");
        let last = numbers.replace("document", "tabs.at(-1).document");
        browser.wait(&format!("tabs.length === {opened} && /[1-9]/.test({last})"));
    }
    browser.wait("document.hidden");
    browser.call("Page.bringToFront", serde_json::json!({}));
    browser.eval("location.hash = '#/t/busy'");
    browser.wait(&format!("/[1-9]/.test({numbers})"));
    browser.eval("tabs.forEach((t) => t.close())");

    // With this one they are more windows than connections too, and all are seen: they take turns. Each goes on, and calls find a way besides.
    browser.eval("tabs = []");
    for opened in 1..=6 {
        browser.eval("tabs.push(window.open('/#/t/busy', '', 'popup,width=300,height=300'))");
        browser.wait(&format!("tabs.length === {opened} && tabs.at(-1).document.visibilityState === 'visible'"));
    }
    let all = |what: &str| format!("tabs.every((t) => {})", what.replace("document", "t.document"));
    browser.wait(&all(&format!("/[1-9]/.test({numbers})")));
    browser.eval(&format!("tabs.forEach((t) => {{ t.before = {}; }})", numbers_in_all().replace("document", "t.document")));
    browser.wait(&all(&format!("{} !== t.before", numbers_in_all())));
    browser.eval("fetch('/v1/cluster').then((answer) => answer.text())");
    browser.eval("tabs.forEach((t) => t.close())");
    browser.call("Page.bringToFront", serde_json::json!({}));

    browser.eval("location.hash = '#/t/busy/logs'");
    browser.wait("/^… [1-9].* left out$/.test(document.querySelector('.row.left')?.textContent)");
    // What is shown is bounded: it stays so while more come.
    for _ in 0..2 {
        browser.eval("window.newest = document.querySelector('.row:last-child').textContent");
        browser.wait(
            "document.querySelectorAll('.row').length === 2000 && document.querySelector('.row:last-child').textContent !== window.newest",
        );
    }
    assert_eq!(browser.troubles(), [] as [String; 0]);
}

#[test]
fn the_token_is_asked_once_and_a_lost_connection_is_told() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(BUSY);
    cluster.running("busy");
    let mut browser = Browser::start();
    let url = cluster.url().to_owned();
    browser.open(&url);
    browser.fill("#token", "wrong");
    browser.click("button[type=submit]", "Enter");
    browser.wait("document.querySelector('.wrong').textContent.includes('not the token')");
    browser.fill("#token", &cluster.token());
    browser.click("button[type=submit]", "Enter");
    browser.wait("document.querySelector('h1')?.textContent === 'Cluster'");
    assert_eq!(browser.eval("document.cookie"), "", "scripts cannot read the session");
    browser.open(&url);
    browser.wait("document.querySelector('#live')?.textContent === 'live'");
    browser.eval("location.hash = '#/t/%E0%A4%A'");
    browser.wait("document.querySelector('main').textContent === 'There is no such page.'");
    browser.eval("location.hash = '#/t/busy/c/numbers'");
    browser.click("#tap", "Watch tuples");
    let newest = "document.querySelector('.lines.short .row time')?.title";
    browser.wait(newest);

    cluster.nimbus().kill();
    browser.wait("document.querySelector('#lost')?.hidden === false");
    cluster.start_nimbus();
    browser.wait("document.querySelector('#lost').hidden");
    browser.wait("document.querySelector('#live').textContent === 'live'");
    // Nimbus knows nothing of the tap that was open; what was watched is watched again.
    browser.eval("window.back = new Date().toISOString()");
    browser.wait(&format!("{newest} > window.back"));

    // Who goes on to another page meanwhile sees it when nimbus is back.
    cluster.nimbus().kill();
    browser.wait("document.querySelector('#lost')?.hidden === false");
    browser.eval("location.hash = '#/models'");
    browser.wait("document.querySelector('main').textContent.includes('when nimbus answers again')");
    cluster.start_nimbus();
    browser.wait("document.querySelector('h1')?.textContent === 'Models'");

    browser.click("#leave", "Sign out");
    browser.wait("document.querySelector('#enter')");
    browser.open(&url);
    browser.wait("document.querySelector('#enter')");
}
