//! A folder of files that is there whole or not at all: made beside its place, renamed when it is finished.

use super::LoadError;
use crate::artefact::{self, FileEntry, MANIFEST, Manifest, Purpose, SEAL};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Says in an unfinished folder that it is ours to remove, and is locked as long as its run lives.
const MARK: &str = ".restage-partial";

/// A folder in the making. Dropping it unfinished removes it.
pub struct Folder {
    place: PathBuf,
    partial: PathBuf,
    /// The folder at the place is replaced.
    replace: bool,
    files: Mutex<BTreeMap<String, FileEntry>>,
    /// Holds the lock.
    mark: Option<File>,
    /// Dropped last, when the folder has its name or is gone.
    _settled: oneshot::Sender<()>,
}

/// A file in the making: counts and hashes what is written.
pub struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        self.hasher.update(&piece[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LoadError + '_ {
    move |source| LoadError::File { path: path.to_owned(), source }
}

impl Folder {
    /// Looks whether a folder may be made at a place; writes nothing.
    ///
    /// With `replace`, a folder of fixtures that holds nothing else may be there, or an empty one.
    ///
    /// # Errors
    /// [`LoadError::Exists`], or [`LoadError::File`] if the place cannot be looked at.
    pub fn may_be_made(place: &Path, replace: bool) -> Result<(), LoadError> {
        let exists = |detail: &str| LoadError::Exists { place: place.to_owned(), detail: detail.to_owned() };
        if place.file_name().is_none() || place.extension().is_some_and(|extension| extension == "partial") {
            return Err(exists("The name of a new folder is wanted, not ending in .partial."));
        }
        let there = match std::fs::symlink_metadata(place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(failed(place))?,
        };
        if !replace {
            return Err(exists("A snapshot never changes, so nothing is written over it."));
        }
        if !there.is_dir() {
            return Err(exists("It is no folder."));
        }
        if std::fs::read_dir(place).map_err(failed(place))?.next().is_none() {
            return Ok(());
        }
        match artefact::open(place) {
            Ok(manifest) if manifest.purpose == Purpose::Fixture => {
                let others = artefact::strangers(place, &manifest)
                    .map_err(|error| exists(&format!("It cannot be looked through: {error}.")))?;
                match others.first() {
                    None => Ok(()),
                    Some(first) => Err(exists(&format!("It also holds {first}, which would be lost."))),
                }
            }
            Ok(_) => Err(exists("It holds a snapshot.")),
            Err(error) => Err(exists(&format!("It is not empty, and {error}."))),
        }
    }

    /// Makes the folder beside its place.
    ///
    /// # Errors
    /// As [`Folder::may_be_made`]; [`LoadError::Writing`] if another run writes to the same place.
    ///
    /// The receiver hears when the folder has its name or is gone: tasks that are told to end hold it until they do.
    pub fn create(place: &Path, replace: bool) -> Result<(Self, oneshot::Receiver<()>), LoadError> {
        Self::may_be_made(place, replace)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = place.with_file_name(name);
        if let Some(parent) = partial.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        if partial.exists() {
            remove_left(place, &partial)?;
        }
        std::fs::create_dir(&partial).map_err(failed(&partial))?;
        let path = partial.join(MARK);
        let mark = File::create_new(&path).map_err(failed(&path))?;
        mark.try_lock().map_err(|_| LoadError::Writing { place: place.to_owned() })?;
        let (sender, receiver) = oneshot::channel();
        let (place, files) = (place.to_owned(), Mutex::default());
        Ok((Self { place, partial, replace, files, mark: Some(mark), _settled: sender }, receiver))
    }

    /// Where the folder will be.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Where a file of the folder is now.
    pub fn path(&self, name: &str) -> PathBuf {
        self.partial.join(name)
    }

    /// Creates a file; its folders come with it. An earlier attempt at the same file is overwritten.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn file(&self, name: &str) -> Result<Hashed, LoadError> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let file = File::create(&path).map_err(failed(&path))?;
        Ok(Hashed { file: BufWriter::with_capacity(256 * 1024, file), hasher: blake3::Hasher::new(), bytes: 0 })
    }

    /// Ends a file: it is on the disk and in the manifest.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn end(&self, name: &str, hashed: Hashed) -> Result<(), LoadError> {
        let path = self.path(name);
        let Hashed { file, hasher, bytes } = hashed;
        let file = file.into_inner().map_err(|error| failed(&path)(error.into_error()))?;
        file.sync_all().map_err(failed(&path))?;
        let entry = FileEntry { bytes, blake3: hasher.finalize().to_hex().to_string() };
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), entry);
        Ok(())
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), LoadError> {
        let mut file = self.file(name)?;
        file.write_all(content).map_err(failed(&self.path(name)))?;
        self.end(name, file)
    }

    /// Writes the manifest and its seal, and gives the folder its name; returns the number of files. `manifest.files` is
    /// filled in here.
    ///
    /// # Errors
    /// [`LoadError::File`], or [`LoadError::Exists`] if something came to the place meanwhile.
    ///
    /// # Panics
    /// Never: a manifest is made of names and numbers.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<usize, LoadError> {
        manifest.files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let files = manifest.files.len() + 2;
        let mut text = serde_json::to_string_pretty(&manifest).expect("a manifest is made of names and numbers");
        text.push('\n');
        self.write(MANIFEST, text.as_bytes())?;
        self.write(SEAL, artefact::seal_of(text.as_bytes()).as_bytes())?;
        let mark = self.partial.join(MARK);
        std::fs::remove_file(&mark).map_err(failed(&mark))?;
        sync_folders(&self.partial)?;
        Self::may_be_made(&self.place, self.replace)?;
        self.publish()?;
        self.mark = None;
        if let Some(parent) = self.place.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed(parent))?;
        }
        Ok(files)
    }

    /// Renames; a folder that is replaced changes places with the new one in one step where the system can.
    fn publish(&self) -> Result<(), LoadError> {
        if !self.place.exists() {
            return std::fs::rename(&self.partial, &self.place).map_err(failed(&self.place));
        }
        let here = rustix::fs::CWD;
        #[cfg(target_os = "linux")]
        let exchanged =
            rustix::fs::renameat_with(here, &self.partial, here, &self.place, rustix::fs::RenameFlags::EXCHANGE)
                .is_ok();
        #[cfg(not(target_os = "linux"))]
        let exchanged = {
            let _ = here;
            false
        };
        if !exchanged {
            std::fs::remove_dir_all(&self.place).map_err(failed(&self.place))?;
            return std::fs::rename(&self.partial, &self.place).map_err(failed(&self.place));
        }
        std::fs::remove_dir_all(&self.partial).map_err(failed(&self.partial))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.mark.is_some() {
            // What cannot be removed is found by the next run.
            let _ = std::fs::remove_dir_all(&self.partial);
        }
    }
}

/// Removes what a run that died has left; never a folder that somebody else made, and never under a run that lives.
fn remove_left(place: &Path, partial: &Path) -> Result<(), LoadError> {
    let path = partial.join(MARK);
    let mark = match File::open(&path) {
        Ok(mark) => mark,
        // The mark goes last before the name comes.
        Err(_) if artefact::open_any(partial).is_ok() => {
            return std::fs::remove_dir_all(partial).map_err(failed(partial));
        }
        Err(_) => {
            let detail = format!("{} is in the way, and restage did not make it.", partial.display());
            return Err(LoadError::Exists { place: partial.to_owned(), detail });
        }
    };
    mark.try_lock().map_err(|_| LoadError::Writing { place: place.to_owned() })?;
    std::fs::remove_dir_all(partial).map_err(failed(partial))
}

fn sync_folders(folder: &Path) -> Result<(), LoadError> {
    for entry in std::fs::read_dir(folder).map_err(failed(folder))?.flatten() {
        if entry.path().is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}
