//! File systems that a test mounts for itself and takes away again, however it ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// Runs a program of the system; what it says is given where it fails, and why where it cannot be run.
fn system(program: &str, arguments: &[&str]) -> Result<String, String> {
    let line = || format!("`{program} {}`", arguments.join(" "));
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{}: {error}", line()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{}: {}", line(), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file system in memory that holds so much and no more.
pub struct Small {
    folder: TempDir,
}

impl Small {
    /// Of that size in KiB; why not, where this user may not mount.
    pub fn new(size: usize) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let options = format!("size={size}k");
        system("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", text(folder.path())])?;
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes it hold so much, in KiB.
    pub fn resize(&self, size: usize) {
        let options = format!("remount,size={size}k");
        system("mount", &["-o", &options, text(self.path())]).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = system("umount", &["-l", text(self.path())]);
    }
}

/// Calls the shutdown of ext4 for each line it reads, and says when it has: from then on nothing reaches the disk, and
/// what was not flushed is lost (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`).
const CUTTER: &str = "
import fcntl, os, struct, sys
print('ready', flush=True)
for line in sys.stdin:
    folder = os.open(sys.argv[1], os.O_RDONLY)
    fcntl.ioctl(folder, 0x8004587d, struct.pack('I', 2))
    os.close(folder)
    print('cut', flush=True)
";

/// A disk whose power can be cut: an ext4 file system in a file.
pub struct Disk {
    folder: TempDir,
    device: Option<String>,
    mounted: bool,
    cutter: Option<Cutter>,
}

struct Cutter {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Cutter {
    fn new(mount: &Path) -> Result<Self, String> {
        let mut command = Command::new("python3");
        command.args(["-c", CUTTER]).arg(mount).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("`python3`: {error}"))?;
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut cutter = Self { child, input, output };
        cutter.hear("ready")?;
        Ok(cutter)
    }

    fn hear(&mut self, word: &str) -> Result<(), String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        if line.trim() == word { Ok(()) } else { Err(format!("the power cannot be cut: `{}`", line.trim())) }
    }
}

impl Disk {
    /// Made and mounted; why not, where this user may not, or the system lacks something.
    pub fn new() -> Result<Self, String> {
        let mut disk = Self { folder: TempDir::new().unwrap(), device: None, mounted: false, cutter: None };
        std::fs::create_dir(disk.path()).unwrap();
        let image = disk.folder.path().join("image");
        File::create(&image).and_then(|file| file.set_len(32 * 1024 * 1024)).unwrap();
        // Nothing is left to be made in the background, which would be in the way of every cut.
        system("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", text(&image)])?;
        disk.device = Some(system("losetup", &["--find", "--show", text(&image)])?);
        disk.mount()?;
        disk.cutter = Some(Cutter::new(&disk.path())?);
        // Whether it works at all is known before anything is built on it.
        disk.cut()?;
        disk.again();
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn mount(&mut self) -> Result<(), String> {
        let device = self.device.as_deref().unwrap_or_default();
        system("mount", &["-t", "ext4", device, text(&self.path())])?;
        self.mounted = true;
        Ok(())
    }

    /// Cuts the power: when this returns, nothing reaches the disk any more.
    pub fn cut(&mut self) -> Result<(), String> {
        let cutter = self.cutter.as_mut().ok_or("the power cannot be cut")?;
        writeln!(cutter.input, "cut").map_err(|error| error.to_string())?;
        cutter.hear("cut")
    }

    /// The power is back. Nobody may have a file of the disk open: what was only in memory is gone with the unmounting,
    /// and mounting takes from the file system's own log what was flushed there.
    pub fn again(&mut self) {
        system("umount", &[text(&self.path())]).unwrap();
        self.mounted = false;
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(mut cutter) = self.cutter.take() {
            drop(cutter.input);
            let _ = cutter.child.wait();
        }
        if self.mounted {
            let _ = system("umount", &["-l", text(&self.path())]);
        }
        if let Some(device) = &self.device {
            let _ = system("losetup", &["--detach", device]);
        }
    }
}
