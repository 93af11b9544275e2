//! One real host: alice is logged in by ssh; she is suspended; her session ends and she cannot
//! come back.

use std::thread;

use system_tests::{Directory, Lab};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Failure;
use crate::administrator::{Administrator, Times};
use crate::clock;
use crate::figures::Figures;

const PERSON: &str = "alice";

/// Measures from the return of the call to the end of the ssh session.
pub(crate) fn measure(lab: &Lab, directory: &Directory, rounds: u32) -> Result<Figures, Failure> {
    let laptop = lab.client();
    let web = lab.host("web-1");
    directory.enrol(&web, &["env=dev"]);
    let key = laptop.new_key("alice-key");
    directory.add_group_with_access("web", "env=dev");
    directory.add_person(PERSON, "sunny-tables-sing", &["web"]);
    directory.add_key(PERSON, &key);
    let ca = std::fs::read_to_string(directory.certificate_authority())?;
    let (orders, waiting) = unbounded_channel();
    let (answer, mut answers) = unbounded_channel();
    let (door, base) = (directory.door(), directory.url());
    thread::spawn(move || {
        door.enter();
        if let Err(error) = administer(&base, &ca, waiting, &answer) {
            let _ = answer.send(Err(error.to_string()));
        }
    });
    let mut figures = Figures::default();
    for _ in 0..rounds {
        let session = laptop.ssh(&web).user(PERSON).key(&key);
        session.until_it_works("true");
        let mut terminal = session.terminal();
        terminal.expect(r"\$ ").answer("echo here-$((1 + 1))");
        terminal.expect("here-2");
        let suspension = carried_out(&orders, &mut answers, Order::Suspend)?;
        let _ended = terminal.finish();
        figures.add(suspension.until(clock::instant()));
        session.run("true").is_refused();
        carried_out(&orders, &mut answers, Order::Activate)?;
    }
    Ok(figures)
}

#[derive(Clone, Copy)]
enum Order {
    Suspend,
    Activate,
}

type Answer = Result<Times, String>;

fn carried_out(
    orders: &UnboundedSender<Order>,
    answers: &mut UnboundedReceiver<Answer>,
    order: Order,
) -> Result<Times, Failure> {
    orders.send(order)?;
    let answer = answers.blocking_recv();
    Ok(answer.ok_or("the administrator has gone")??)
}

/// Carries out orders until there are no more.
fn administer(
    base: &str,
    ca: &str,
    mut orders: UnboundedReceiver<Order>,
    answers: &UnboundedSender<Answer>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (name, password) = system_tests::ADMINISTRATOR;
        let administrator = Administrator::sign_in(base, ca, name, password).await?;
        let user = administrator.id_of(PERSON).await?;
        while let Some(order) = orders.recv().await {
            let times = match order {
                Order::Suspend => administrator.suspend(&user).await?,
                Order::Activate => administrator.activate(&user).await?,
            };
            answers.send(Ok(times))?;
        }
        Ok(())
    })
}
