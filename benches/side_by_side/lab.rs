//! How long it takes until three machines are on a switch, from nothing: our lab, and a script of `ip` commands that
//! makes the same on a Linux bridge.

use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Instant;

use crate::figures::{Figure, Round, Subject};
use crate::systems::{self, Programs};

const MACHINES: [&str; 3] = ["lab-1", "lab-2", "lab-3"];

/// Brings both up once, and down again.
pub(crate) fn measure(programs: &Programs, round: &mut Round) -> io::Result<()> {
    round.add(Subject::Lab, Figure::Ready, lab(programs)?);
    let script = programs.scratch.join("three.sh");
    fs::write(&script, commands())?;
    let begun = Instant::now();
    let made = systems::run("sh", &["-e", &script.display().to_string()]);
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    for netns in MACHINES.into_iter().chain(["lab-s"]) {
        let _ = systems::ip(&["netns", "del", netns]);
    }
    made?;
    round.add(Subject::Script, Figure::Ready, millis);
    Ok(())
}

/// Milliseconds from the start of the process until it says `ready`.
fn lab(programs: &Programs) -> io::Result<f64> {
    let mut text = "[[network]]\nname = \"lan\"\n".to_owned();
    for (index, name) in MACHINES.into_iter().enumerate() {
        text += &format!(
            "\n[[node]]\nname = \"{name}\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"lan\"\n\
             address = \"10.79.0.{}/24\"\n",
            index + 1
        );
    }
    let file = programs.scratch.join("three.toml");
    fs::write(&file, text)?;
    let mut command = systems::program(None, &programs.vswitchd);
    command.arg("-c").arg(&file).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    let ready = systems::wait_for_ready(stdout);
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    systems::stop(&mut child);
    ready.map(|()| millis)
}

/// What somebody would write who has only iproute2.
fn commands() -> String {
    let mut text = "ip netns add lab-s\n\
                    ip -n lab-s link add br0 type bridge\n\
                    ip -n lab-s link set br0 up\n"
        .to_owned();
    for (index, name) in MACHINES.into_iter().enumerate() {
        let number = index + 1;
        text += &format!(
            "ip netns add {name}\n\
             ip -n {name} link set lo up\n\
             ip -n lab-s link add port{number} type veth peer name eth0 netns {name}\n\
             ip -n lab-s link set port{number} master br0 up\n\
             ip -n {name} address add 10.79.0.{number}/24 dev eth0\n\
             ip -n {name} link set eth0 up\n"
        );
    }
    text
}
