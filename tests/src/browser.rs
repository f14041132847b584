//! A headless Chromium, driven by the DevTools protocol over pipes: JSON messages, each ended by a zero byte.
//! See <https://chromedevtools.github.io/devtools-protocol/>.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{DEADLINE, wait_for};

/// A browser with one page open; ended on drop.
#[derive(Debug)]
pub struct Browser {
    dir: TempDir,
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: Option<String>,
    count: u64,
    troubles: Vec<String>,
}

/// Where Debian and others put it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

impl Browser {
    /// Starts Chromium with an empty page.
    ///
    /// # Panics
    /// There is none, or it does not start.
    #[track_caller]
    pub fn start() -> Browser {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| dir.path().join(name);
        let (to, from) = (path("to"), path("from"));
        for pipe in [&to, &from] {
            let made = Command::new("mkfifo").arg("-m").arg("600").arg(pipe).status().expect("mkfifo is there");
            assert!(made.success(), "cannot make a pipe in {}", dir.path().display());
        }
        // Chromium reads commands from descriptor 3 and writes answers to 4. A sandbox needs another user than root.
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(r#"exec "$0" --headless=new --remote-debugging-pipe --user-data-dir="$1" --no-first-run --disable-gpu --hide-scrollbars --force-color-profile=srgb $4 about:blank 3<"$2" 4>"$3""#)
            .arg(found().unwrap_or_else(|| panic!("the page is tested in Chromium, and there is none: apt-get install chromium")))
            .args([&path("profile"), &to, &from])
            .arg(if rustix::process::geteuid().is_root() { "--no-sandbox" } else { "" })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path("log")).expect("the folder can be written to"))
            .spawn()
            .expect("sh is there");
        // Opening a pipe waits for the other side, which does not come if the browser is broken: opened for both, it does not.
        let open = |pipe: &Path| OpenOptions::new().read(true).write(true).open(pipe).expect("the pipe can be opened");
        let (writer, reader) = (open(&to), open(&from));
        let (send, receive) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(reader).split(0).map_while(Result::ok) {
                let sent = serde_json::from_slice(&message).is_ok_and(|message| send.send(message).is_ok());
                if !sent {
                    return;
                }
            }
        });
        assert!(child.try_wait().expect("a child").is_none(), "Chromium ended at once: {}", log(dir.path()));
        let mut browser = Browser { dir, child, to: writer, from: receive, session: None, count: 0, troubles: Vec::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol.
    ///
    /// # Panics
    /// It fails, or there is no answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let mut message = json!({"id": self.count, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.to.write_all(format!("{message}\0").as_bytes());
        sent.unwrap_or_else(|e| panic!("Chromium does not listen: {e}: {}", log(self.dir.path())));
        let until = Instant::now() + DEADLINE;
        loop {
            let answer = self.hear(method, until.saturating_duration_since(Instant::now()));
            if answer["id"] == json!(self.count) {
                assert!(answer.get("error").is_none(), "{method} {params}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    #[track_caller]
    fn hear(&mut self, awaited: &str, within: Duration) -> Value {
        let message = self.from.recv_timeout(within);
        let message = message.unwrap_or_else(|_| panic!("no answer to {awaited}: {}", log(self.dir.path())));
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.troubles.push(params["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => self.troubles.push(params["entry"].to_string()),
            _ => {}
        }
        message
    }

    /// Exceptions and errors of the page so far, such as what its content security policy kept from running.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Forgets the troubles so far, which were expected.
    pub fn forget_troubles(&mut self) {
        self.troubles.clear();
    }

    /// Opens an address.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    /// Evaluates an expression on the page; a promise is waited for.
    ///
    /// # Panics
    /// It throws.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let done = self.call("Runtime.evaluate", what);
        assert!(done.get("exceptionDetails").is_none(), "{expression}: {}", done["exceptionDetails"]);
        done["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// It is not by the deadline.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        // A page that is being left has nothing to evaluate in.
        let safe = format!("(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()");
        wait_for(expression, || (self.eval(&safe) == json!(true)).then_some(()));
    }

    /// Clicks the first element of this selector whose text holds `text`.
    ///
    /// # Panics
    /// There is none by the deadline.
    #[track_caller]
    pub fn click(&mut self, selector: &str, text: &str) {
        let found = format!(
            "[...document.querySelectorAll({})].find((e) => e.textContent.includes({}) && !e.disabled)",
            json!(selector),
            json!(text)
        );
        self.wait(&found);
        self.eval(&format!("{found}.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))"));
    }

    /// Types into the first field of this selector.
    #[track_caller]
    pub fn fill(&mut self, selector: &str, text: &str) {
        let field = format!("document.querySelector({})", json!(selector));
        self.wait(&field);
        self.eval(&format!(
            "(() => {{ const f = {field}; f.focus(); f.value = {}; for (const e of ['input', 'change']) f.dispatchEvent(new Event(e, {{ bubbles: true }})); }})()",
            json!(text)
        ));
    }

    /// Chooses a file of this machine in the first field of this selector.
    #[track_caller]
    pub fn choose(&mut self, selector: &str, file: &str) {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        let root = self.call("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
        let field = self.call("DOM.querySelector", json!({"nodeId": root, "selector": selector}))["nodeId"].clone();
        self.call("DOM.setFileInputFiles", json!({"nodeId": field, "files": [file]}));
    }

    /// The text of the page.
    #[track_caller]
    pub fn text(&mut self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Makes the page so large, and as a phone has it or not.
    #[track_caller]
    pub fn resize(&mut self, width: u32, height: u32, phone: bool) {
        let scale = if phone { 2 } else { 1 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Writes what is seen as PNG into `$SQUALL_SCREENSHOTS`, if that is set.
    ///
    /// # Panics
    /// It cannot be written.
    #[track_caller]
    pub fn picture(&mut self, name: &str) {
        let Some(dir) = std::env::var_os("SQUALL_SCREENSHOTS") else { return };
        let taken = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let data = taken["data"].as_str().expect("a picture");
        std::fs::create_dir_all(&dir).expect("the folder for pictures");
        std::fs::write(Path::new(&dir).join(format!("{name}.png")), base64(data)).expect("a picture can be written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- troubles of the page\n{}", self.troubles.join("\n"));
        }
        // In good order, so that its own children go too.
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn found() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let at = |name: &str| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    NAMES.iter().find_map(|name| at(name))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// Decodes base64 (RFC 4648) without line breaks.
fn base64(text: &str) -> Vec<u8> {
    let six = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut sum, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0);
    for value in text.bytes().filter_map(six) {
        (sum, bits) = ((sum << 6) | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((sum >> bits) as u8);
            sum &= (1 << bits) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_decoded() {
        assert_eq!(super::base64("aGVsbG8gd29ybGQh"), b"hello world!");
        assert_eq!(super::base64("aGk="), b"hi");
    }
}
