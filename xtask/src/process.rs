//! Child processes: pinned, measured, and gone when their owner is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Error;

/// How long a child gets between being asked to end and being ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A child that ends with this value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, Error> {
        let child = command.stdin(Stdio::null()).spawn().map_err(Error::run(name))?;
        Ok(Self { child, name: name.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error when the process is no more.
    pub(crate) fn must_run(&mut self) -> Result<(), Error> {
        match self.child.try_wait().map_err(Error::run(&self.name))? {
            None => Ok(()),
            Some(status) => Err(Error::Ended { program: self.name.clone(), status: status.to_string() }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first, so that it can remove what it made; by its own id, nobody else's.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let rounds = if asked.is_ok_and(|status| status.success()) { PATIENCE.as_millis() / 50 } else { 0 };
        for _ in 0..rounds {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A command on one CPU; anywhere when this machine has only one.
pub(crate) fn pinned(cpu: usize, program: &Path) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cpu.to_string()).arg(program);
    command
}

/// Puts this process and all its threads on one CPU, where that is possible.
pub(crate) fn pin_self(cpu: usize) -> Result<(), Error> {
    if !can_pin() {
        return Ok(());
    }
    let own = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-apc", &cpu.to_string(), &own])
        .stdout(Stdio::null())
        .status()
        .map_err(Error::run("taskset"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Ended { program: "taskset".to_owned(), status: status.to_string() })
    }
}

fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
        || fs::read_to_string("/proc/cpuinfo").is_ok_and(|told| told.matches("processor\t").count() > 1)
}

/// Microseconds of CPU that a process and its children have used (`utime` and `stime` of `/proc/PID/stat`).
pub(crate) fn cpu_us(pid: u32) -> Result<f64, Error> {
    let mut ticks = 0;
    for process in tree(pid)? {
        ticks += stat(process).map_or(0, |stat| stat.ticks);
    }
    // The kernel reports in hundredths of a second whatever its own rate is (USER_HZ).
    Ok(ticks as f64 * 10_000.0)
}

/// Resident memory of a process in MiB (`VmRSS`).
pub(crate) fn resident_mib(pid: u32) -> Result<f64, Error> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<f64>().ok())
        .ok_or_else(|| Error::Unmet(format!("`{}` has no VmRSS", path.display())))?;
    Ok(kib / 1024.0)
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// `None` for a process that is no more.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; fields are counted from after it.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
}

/// A process and everything it started.
fn tree(root: u32) -> Result<Vec<u32>, Error> {
    let entries = fs::read_dir("/proc").map_err(Error::file("/proc"))?;
    let all: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, stat(pid)?.parent)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    Ok(found)
}
