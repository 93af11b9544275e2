//! A network of its own for each lab: a switch in one namespace, a namespace and a cable for each
//! host. Nothing of it is visible in the machine's own network.

use crate::command::{outcome, run};
use std::fmt;
use std::net::Ipv4Addr;

/// The address of a host in its lab. The hardware address follows from it: a host made again under
/// an old address is reachable at once, without waiting for its peers to forget the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(Ipv4Addr);

impl Address {
    /// The n-th address of a lab.
    pub(crate) fn of_number(number: u8) -> Self {
        Self(Ipv4Addr::new(10, 77, 0, number))
    }

    fn hardware(self) -> String {
        let [a, b, c, d] = self.0.octets();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The switch of one lab.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    lab: String,
}

/// One end of a cable: the namespace of a host and its port at the switch.
#[derive(Debug, Clone)]
pub(crate) struct Cable {
    pub(crate) host: String,
    pub(crate) namespace: String,
    pub(crate) address: Address,
    switch: String,
    port: String,
}

impl Network {
    /// Makes the switch of the lab with this name.
    pub(crate) fn new(lab: &str) -> Self {
        let network = Self {
            lab: lab.to_owned(),
        };
        let switch = network.switch();
        run("ip", &["netns", "add", &switch]);
        run("ip", &["-n", &switch, "link", "set", "lo", "up"]);
        run(
            "ip",
            &["-n", &switch, "link", "add", "br0", "type", "bridge"],
        );
        run("ip", &["-n", &switch, "link", "set", "br0", "up"]);
        network
    }

    /// Lays a cable from the switch to a new namespace.
    pub(crate) fn attach(&self, name: &str, number: u8) -> Cable {
        let address = Address::of_number(number);
        let (namespace, switch) = (self.namespace_of(name), self.switch());
        let (port, hardware) = (format!("port{number}"), address.hardware());
        run("ip", &["netns", "add", &namespace]);
        let inside = |arguments: &[&str]| run("ip", &[&["-n", &namespace], arguments].concat());
        inside(&["link", "set", "lo", "up"]);
        inside(&[
            "link", "add", "eth0", "address", &hardware, "type", "veth", "peer", "name", &port,
            "netns", &switch,
        ]);
        inside(&["address", "add", &format!("{address}/16"), "dev", "eth0"]);
        inside(&["link", "set", "eth0", "up"]);
        run(
            "ip",
            &["-n", &switch, "link", "set", &port, "master", "br0", "up"],
        );
        Cable {
            host: name.to_owned(),
            namespace,
            address,
            switch,
            port,
        }
    }

    pub(crate) fn namespace_of(&self, name: &str) -> String {
        format!("{}-{name}", self.lab)
    }

    fn switch(&self) -> String {
        self.namespace_of("switch")
    }
}

impl Cable {
    /// Pulls the cable out of the switch.
    pub(crate) fn unplug(&self) {
        run(
            "ip",
            &["-n", &self.switch, "link", "set", &self.port, "down"],
        );
    }

    /// Plugs it in again.
    pub(crate) fn plug_in(&self) {
        run("ip", &["-n", &self.switch, "link", "set", &self.port, "up"]);
    }

    /// Makes the way to this end so slow that a TLS handshake takes seconds.
    pub(crate) fn slow_down(&self, rate: &str) {
        let shape = [
            "root", "tbf", "rate", rate, "burst", "1600", "latency", "10000ms",
        ];
        let change = ["-n", &self.switch, "qdisc", "replace", "dev", &self.port];
        run("tc", &[change.as_slice(), &shape].concat());
    }

    /// Takes the brake off again.
    pub(crate) fn full_speed(&self) {
        outcome(
            "tc",
            &[
                "-n",
                &self.switch,
                "qdisc",
                "del",
                "dev",
                &self.port,
                "root",
            ],
        );
    }
}

/// Removes the namespaces of a lab, and with them every cable.
pub(crate) fn remove_namespaces_of(lab: &str) {
    let listed = run("ip", &["netns", "list"]);
    let prefix = format!("{lab}-");
    for name in listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        if name.starts_with(&prefix) {
            outcome("ip", &["netns", "delete", name]);
        }
    }
}
