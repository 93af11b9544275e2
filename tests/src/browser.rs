//! A browser in the lab, steered through its WebDriver: what a person would click and type. With
//! scripts or without, on a desktop or on a phone.

use crate::command::{OrFail, fail};
use crate::host::Host;
use crate::lab::Lab;
use crate::layer::BROWSER;
use crate::wait::eventually;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const DRIVER: &str = "http://127.0.0.1:9515";
const START_LIMIT: Duration = Duration::from_secs(30);
/// Chromium gives a page up when an address of its machine comes or goes; it is asked for again.
const INTERRUPTED: &str = "ERR_NETWORK_CHANGED";
const PAGE_LIMIT: Duration = Duration::from_secs(15);
/// The name of the field in which WebDriver tells elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A machine with a browser on it.
#[derive(Debug)]
pub struct BrowserHost(Host);

/// An open window.
#[derive(Debug)]
pub struct Browser<'a> {
    machine: &'a Host,
    session: String,
    scripts: bool,
}

/// How somebody looks at pages.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// Whether the scripts of pages run.
    pub scripts: bool,
}

impl Lab {
    /// A machine with a browser; see [`crate::a_browser_is_impossible`].
    #[must_use]
    #[track_caller]
    pub fn browser_host(&self, name: &str) -> BrowserHost {
        let host = self.host_with(name, &BROWSER);
        host.ok("setsid chromedriver --port=9515 > /var/log/chromedriver.log 2>&1 &");
        let ready = || host.run(&format!("curl -sf {DRIVER}/status")).succeeded();
        if !eventually(START_LIMIT, ready) {
            fail(&format!(
                "no browser: {}",
                host.ok("cat /var/log/chromedriver.log")
            ));
        }
        BrowserHost(host)
    }
}

impl BrowserHost {
    /// Opens a window of its own profile.
    #[must_use]
    #[track_caller]
    pub fn window(&self, window: Window) -> Browser<'_> {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments},
        }}});
        let mut browser = Browser {
            machine: &self.0,
            session: String::new(),
            scripts: window.scripts,
        };
        // A machine with much other work can be too slow for the browser's own patience.
        let opened = eventually(START_LIMIT, || {
            let made = browser.asked("POST", "/session", &wanted);
            if let Ok(made) = &made {
                browser.session = format!("/session/{}", text_of(part(made, "sessionId")));
            }
            made.is_ok()
        });
        if !opened {
            fail(&format!(
                "no window: {}",
                self.0.ok("tail -n 50 /var/log/chromedriver.log")
            ));
        }
        let size = json!({"width": window.width, "height": window.height,
            "deviceScaleFactor": 1, "mobile": window.width < 600});
        browser.devtools("Emulation.setDeviceMetricsOverride", &size);
        browser.runs_scripts(window.scripts);
        browser
    }
}

impl Browser<'_> {
    /// Goes to an address.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.call("POST", "/url", &json!({"url": address}));
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        text_of(&self.call("GET", "/url", &Value::Null))
    }

    /// The visible text of the page.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_of_element("body")
    }

    /// The same; none at the moment at which one page gives way to the next.
    fn text_now(&self) -> Option<String> {
        let query = json!({"using": "css selector", "value": "body"});
        let element = format!("{}/element", self.session);
        let found = self.asked("POST", &element, &query).ok()?;
        let body = text_of(part(&found, ELEMENT));
        let text = self.asked("GET", &format!("{element}/{body}/text"), &Value::Null);
        text.ok().map(|text| text_of(&text))
    }

    /// The visible text of an element.
    #[must_use]
    pub fn text_of_element(&self, selector: &str) -> String {
        let element = self.element(selector);
        text_of(&self.call("GET", &format!("/element/{element}/text"), &Value::Null))
    }

    /// Whether the page has such an element.
    #[must_use]
    pub fn has(&self, selector: &str) -> bool {
        let query = json!({"using": "css selector", "value": selector});
        let found = self.call("POST", "/elements", &query);
        found.as_array().is_some_and(|found| !found.is_empty())
    }

    /// Whether this is the browser's own page, which says so by a script: without them it is empty.
    fn was_interrupted(&self, page: &str) -> bool {
        page.contains(INTERRUPTED) || !self.scripts && page.is_empty()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        let shown = || {
            let page = self.text_now();
            if page
                .as_deref()
                .is_some_and(|page| self.was_interrupted(page))
            {
                let _ = self.asked("POST", &format!("{}/refresh", self.session), &json!({}));
            }
            page.is_some_and(|page| page.contains(text))
        };
        if !eventually(PAGE_LIMIT, shown) {
            fail(&format!(
                "{} does not show {text:?}:\n{}",
                self.address(),
                self.text()
            ));
        }
    }

    /// Types into a field.
    #[track_caller]
    pub fn types(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/clear"), &json!({}));
        let keys = json!({"text": text});
        self.call("POST", &format!("/element/{element}/value"), &keys);
    }

    /// Clicks.
    #[track_caller]
    pub fn clicks(&self, selector: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Keeps a picture of the whole page.
    #[track_caller]
    pub fn screenshot(&self, file: &Path) {
        let all = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.devtools("Page.captureScreenshot", &all);
        let picture = STANDARD.decode(text_of(part(&picture, "data")));
        let picture = picture.or_fail("read a picture of a page");
        fs::write(file, picture).or_fail(&format!("write {}", file.display()));
    }

    /// How many pixels of the page do not fit into the window's width.
    #[must_use]
    pub fn pixels_too_wide(&self) -> i64 {
        let script = "document.documentElement.scrollWidth - innerWidth";
        self.evaluates(script).as_i64().or_fail("measure a page")
    }

    /// What an expression says that takes its time: without scripts nothing would ever come of it.
    #[track_caller]
    pub fn evaluates_in_time(&self, expression: &str) -> Value {
        self.runs_scripts(true);
        let said = self.evaluates(expression);
        self.runs_scripts(self.scripts);
        said
    }

    #[track_caller]
    fn runs_scripts(&self, run: bool) {
        let off = json!({"value": !run});
        self.devtools("Emulation.setScriptExecutionDisabled", &off);
    }

    /// What an expression says in the page, whether or not scripts of pages run.
    #[track_caller]
    pub fn evaluates(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.devtools("Runtime.evaluate", &asked);
        if let Some(problem) = answer.get("exceptionDetails") {
            fail(&format!("{expression:.200}: {problem}"));
        }
        part(part(&answer, "result"), "value").clone()
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let query = json!({"using": "css selector", "value": selector});
        text_of(part(&self.call("POST", "/element", &query), ELEMENT))
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.call("POST", "/goog/cdp/execute", &body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.asked(method, path, body) {
            Ok(answer) => answer,
            Err(why) => fail(&format!("{method} {path} {body:.300}: {why}")),
        }
    }

    /// What the browser answers, or the problem it tells.
    #[track_caller]
    fn asked(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let address = format!("{DRIVER}{path}");
        let mut words = vec!["curl", "-s", "--max-time", "60", "-X", method, &address];
        if method == "POST" {
            words.extend([
                "-H",
                "content-type: application/json",
                "--data-binary",
                "@-",
            ]);
        }
        let mut command = self.machine.command(&words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut asking = command.spawn().or_fail("ask the browser");
        if let Some(mut into) = asking.stdin.take()
            && method == "POST"
        {
            let sent = into.write_all(body.to_string().as_bytes());
            sent.or_fail("tell the browser");
        }
        let said = asking.wait_with_output().or_fail("hear the browser");
        let said: Value = serde_json::from_slice(&said.stdout)
            .or_fail(&format!("understand the browser about {path}"));
        let value = part(&said, "value").clone();
        match value.get("error") {
            Some(error) => Err(format!("{error} {}", part(&value, "message"))),
            None => Ok(value),
        }
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let address = format!("{DRIVER}{}", self.session);
        let _ = self.machine.run(&format!("curl -s -X DELETE {address}"));
    }
}

fn part<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
