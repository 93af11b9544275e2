//! The services of a host and what can happen to them: stopped, killed, hung, crashing for ever.

use crate::command::fail;
use crate::host::Host;
use crate::init::Init;
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
    /// What answers programs that know no NSS module.
    Lookups,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Sshd => "sshd",
            Self::Cron => "cron",
            Self::Cacher => "cacher",
            Self::Helper => "helper",
            Self::Lookups => "lookups",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Sshd => "ssh.service",
            Self::Cron => "cron.service",
            Self::Cacher => "cloudid-cacher.service",
            Self::Helper => "cloudid-helper.service",
            Self::Lookups => "cloudid-lookups.service",
        }
    }
}

impl Host {
    /// Ends a service and holds it down.
    #[track_caller]
    pub fn stop(&self, service: Service) {
        match self.init() {
            Init::Script => {
                self.ok(&format!("touch /run/lab/{}.stopped", service.name()));
                self.signal(service, "TERM");
                self.signal(service, "CONT");
            }
            Init::Systemd(_) => {
                self.signal(service, "CONT");
                self.ok(&format!("systemctl stop {}", service.unit()));
            }
        }
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
        let (name, unit) = (service.name(), service.unit());
        match self.init() {
            Init::Script => self.ok(&format!(
                "rm -f /run/lab/{name}.stopped /run/lab/{name}.crashing"
            )),
            Init::Systemd(_) => self.ok(&format!(
                "rm -f /run/systemd/system/{unit}.d/crashing.conf && systemctl daemon-reload && \
                 systemctl start {unit}"
            )),
        };
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
    #[track_caller]
    pub fn crash_again_and_again(&self, service: Service) {
        match self.init() {
            Init::Script => drop(self.ok(&format!("touch /run/lab/{}.crashing", service.name()))),
            Init::Systemd(_) => {
                self.write(
                    &format!("/run/systemd/system/{}.d/crashing.conf", service.unit()),
                    CRASHING,
                );
                self.ok("systemctl daemon-reload");
            }
        }
        self.signal(service, "KILL");
    }

    /// True while a process of the service exists.
    #[must_use]
    pub fn runs(&self, service: Service) -> bool {
        self.run(&format!("kill -0 {}", self.process_of(service)))
            .succeeded()
    }

    /// What a shell of the host replaces by the id of the main process of a service.
    #[must_use]
    pub fn process_of(&self, service: Service) -> String {
        match self.init() {
            Init::Script => format!("$(cat /run/lab/{}.pid)", service.name()),
            Init::Systemd(_) => format!(
                "$(systemctl show --property=MainPID --value {} | grep -v '^0$')",
                service.unit()
            ),
        }
    }

    /// What the service wrote.
    #[must_use]
    pub fn log(&self, service: Service) -> String {
        let read = match self.init() {
            Init::Script => format!("cat /var/log/{}.log", service.name()),
            Init::Systemd(_) => format!("journalctl --output=cat --unit={}", service.unit()),
        };
        self.run(&read).stdout
    }

    /// What all services of cloudid and sshd wrote last: for the message of a failed test.
    #[must_use]
    pub fn logs(&self) -> String {
        let read = match self.init() {
            Init::Script => {
                "tail -n 30 /var/log/cacher.log /var/log/helper.log /var/log/sshd.log 2>&1"
            }
            Init::Systemd(_) => "journalctl --no-pager --boot --lines=120 2>&1",
        };
        self.run(read).stdout
    }

    fn signal(&self, service: Service, signal: &str) {
        self.run(&format!("kill -{signal} {}", self.process_of(service)));
    }
}

/// For systemd: up for a moment, then killed, then up again.
const CRASHING: &str = "[Unit]\nStartLimitIntervalSec=0\n\
    [Service]\nExecStartPost=+/bin/sh -c 'sleep 0.2; kill -KILL $MAINPID'\n\
    Restart=always\nRestartSec=100ms\n";
