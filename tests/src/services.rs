//! The services of a host and what can happen to them: stopped, killed, hung, crashing for ever.

use crate::command::fail;
use crate::host::Host;
use crate::wait::eventually;
use std::time::Duration;

/// How long a service may take to come up or to go.
const LIMIT: Duration = Duration::from_secs(10);

/// A program the init of a host keeps running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The OpenSSH server.
    Sshd,
    /// cron.
    Cron,
    /// The unprivileged daemon.
    Cacher,
    /// The root helper.
    Helper,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Sshd => "sshd",
            Self::Cron => "cron",
            Self::Cacher => "cacher",
            Self::Helper => "helper",
        }
    }
}

impl Host {
    /// Ends a service and holds it down.
    #[track_caller]
    pub fn stop(&self, service: Service) {
        self.ok(&format!("touch /run/lab/{}.stopped", service.name()));
        self.signal(service, "TERM");
        self.signal(service, "CONT");
        if !eventually(LIMIT, || !self.runs(service)) {
            fail(&format!(
                "{}: {service:?} does not stop\n{}",
                self.name(),
                self.log(service)
            ));
        }
    }

    /// Starts a service that was held down, or ends its crashing.
    #[track_caller]
    pub fn start(&self, service: Service) {
        let name = service.name();
        self.ok(&format!(
            "rm -f /run/lab/{name}.stopped /run/lab/{name}.crashing"
        ));
        if !eventually(LIMIT, || self.runs(service)) {
            fail(&format!(
                "{}: {service:?} does not start\n{}",
                self.name(),
                self.log(service)
            ));
        }
    }

    /// Stops and starts a service.
    #[track_caller]
    pub fn restart(&self, service: Service) {
        self.stop(service);
        self.start(service);
    }

    /// Kills a service without warning; it is started again at once.
    pub fn kill(&self, service: Service) {
        self.signal(service, "KILL");
    }

    /// Hangs a service: it is there, accepts connections, and answers nothing.
    pub fn hang(&self, service: Service) {
        self.signal(service, "STOP");
    }

    /// Lets a hung service go on.
    pub fn unhang(&self, service: Service) {
        self.signal(service, "CONT");
    }

    /// Lets a service start and die again and again.
    pub fn crash_again_and_again(&self, service: Service) {
        self.ok(&format!("touch /run/lab/{}.crashing", service.name()));
        self.signal(service, "KILL");
    }

    /// True while a process of the service exists.
    #[must_use]
    pub fn runs(&self, service: Service) -> bool {
        self.run(&format!("kill -0 $(cat /run/lab/{}.pid)", service.name()))
            .succeeded()
    }

    /// What the service wrote.
    #[must_use]
    pub fn log(&self, service: Service) -> String {
        self.run(&format!("cat /var/log/{}.log", service.name()))
            .stdout
    }

    /// What all services of cloudid and sshd wrote last: for the message of a failed test.
    #[must_use]
    pub fn logs(&self) -> String {
        self.run("tail -n 30 /var/log/cacher.log /var/log/helper.log /var/log/sshd.log 2>&1")
            .stdout
    }

    fn signal(&self, service: Service, signal: &str) {
        self.run(&format!(
            "kill -{signal} $(cat /run/lab/{}.pid)",
            service.name()
        ));
    }
}
