//! The settings: a file, overridden by the environment, overridden by flags.

mod text;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use strongroom_host::Config;
use zeroize::Zeroizing;

use crate::args::SettingsArgs;
use crate::failure::Failure;

/// The file that is read where none is named.
const FILE: &str = "strongroom.toml";

/// Largest settings file: far beyond any, and little enough to read whatever was named by mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The settings, and the file that they came from, if any.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
}

impl Settings {
    /// Reads them from where the arguments say.
    pub(crate) fn load(args: &SettingsArgs) -> Result<Self, Failure> {
        let file = match &args.config {
            Some(file) => Some(file.clone()),
            None => Some(PathBuf::from(FILE)).filter(|file| file.symlink_metadata().is_ok()),
        };
        let mut config = Config::new();
        if let Some(file) = &file {
            config = read(config, file)?;
        }
        config = config.with_env().map_err(|error| Failure::of_host(&error))?;
        for (name, value) in [("host", &args.host), ("port", &args.port), ("prefix", &args.prefix)] {
            if let Some(value) = value {
                let set = config.with_setting(name, std::slice::from_ref(value));
                config = set.map_err(|error| Failure::invalid(format!("--{error}")))?;
            }
        }
        Ok(Self { config, file })
    }
}

/// Adds what a file says to the settings. What goes wrong names the file, the key and what is allowed.
fn read(config: Config, file: &Path) -> Result<Config, Failure> {
    let text = read_text(file).map_err(|line| Failure::invalid(line).about(file.display()))?;
    text::read(config, &text).map_err(|failure| failure.about(file.display()))
}

/// The file's text. It is wiped after use, as whatever is made of it: it may hold secrets. (What the TOML
/// parser keeps for itself meanwhile is not ours to wipe.)
fn read_text(file: &Path) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(file).and_then(|file| {
        // All at once: a text that grows leaves copies of itself behind.
        let bytes = file.metadata()?.len().min(FILE_BYTES_MAX);
        text.reserve_exact(usize::try_from(bytes).unwrap_or_default() + 1);
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    });
    match read {
        Ok(_) if text.len() as u64 > FILE_BYTES_MAX => {
            Err("larger than 1 MiB, so no settings file".to_owned())
        }
        Ok(_) => Ok(text),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => "no such settings file".to_owned(),
            ErrorKind::IsADirectory => "a directory, not a settings file".to_owned(),
            ErrorKind::InvalidData => "not UTF-8 text, so no settings file".to_owned(),
            _ => format!("can't read the settings file: {error}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_host::backend::Server;

    use super::*;

    /// Reads a settings file of this content.
    fn read_from(content: &str) -> Result<Config, Failure> {
        let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
        std::fs::write(file.path(), content).expect("it can be written");
        read(Config::new(), file.path())
    }

    fn complaint(content: &str) -> String {
        let failure = read_from(content).expect_err("it is wrong");
        assert_eq!(failure.code(), Failure::INVALID);
        assert!(!failure.line().contains('\n'), "{}", failure.line());
        failure.line().to_owned()
    }

    #[test]
    fn a_file_sets_what_it_names() {
        let config = read_from(
            "# ours\nhost = \"127.0.0.1\"\nport = 11311\ntimeout = 0.25\ncompress_data = false\n\
             encryption_key = \"correct horse\"\nprevious_keys = [\"battery one\", \"staple two\"]\n",
        )
        .expect("it is right");
        assert_eq!(config.server_list(), [Server::parse("127.0.0.1:11311").expect("of the right form")]);
        assert!(config.is_encrypted());
        assert!(!config.has_key_secret());
        assert!(read_from("").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        assert!(complaint("hots = \"x\"").contains("hots: no such setting; there are prefix, host, port"));
        assert!(complaint("port = 70000").contains("port: allowed is a number from 1 to 65535"));
        assert!(complaint("port = \"many\"").contains("port: allowed is a number from 1 to 65535"));
        assert!(complaint("prefix = \"two words\"").contains("prefix: allowed are 0 to 64 characters"));
        assert!(complaint("encryption_key = \"base64:c2hvcnQ=\"").contains("encryption_key: "));
        assert!(complaint("[cache]\nhost = \"x\"").contains("cache: allowed is a plain value"));
        assert!(complaint("previous_keys = [[\"x\"]]").contains("previous_keys: allowed is a plain value"));
        assert!(complaint("timeout = 1979-05-27").contains("timeout: allowed is a plain value"));
    }

    #[test]
    fn bad_toml_names_the_line_and_does_not_show_it() {
        let complaint = complaint("host = \"x\"\nencryption_key = hunter2\n");
        assert!(complaint.contains("not TOML: line 2: "), "{complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }

    #[test]
    fn files_that_are_none_are_named() {
        let complaint = |file: &Path| read(Config::new(), file).expect_err("it is none").line().to_owned();
        assert!(complaint(Path::new("/no/such.toml")).contains("/no/such.toml: no such settings file"));
        assert!(complaint(&std::env::temp_dir()).contains("a directory"));
        let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
        std::fs::write(file.path(), [0xff, 0xfe]).expect("it can be written");
        assert!(complaint(file.path()).contains("not UTF-8"));
        std::fs::write(file.path(), vec![b'#'; FILE_BYTES_MAX as usize + 1]).expect("it can be written");
        assert!(complaint(file.path()).contains("larger than 1 MiB"));
    }

    #[test]
    fn flags_come_last() {
        let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
        std::fs::write(file.path(), "host = \"a\"\nport = 1\n").expect("it can be written");
        let args = |port: &str| SettingsArgs {
            config: Some(file.path().to_owned()),
            host: Some("b".to_owned()),
            port: Some(port.to_owned()),
            prefix: None,
        };
        let settings = Settings::load(&args("2")).expect("they are right");
        assert_eq!(settings.config.server_list(), [Server::parse("b:2").expect("of the right form")]);
        let failure = Settings::load(&args("x")).expect_err("it is no port");
        assert_eq!(failure.line(), "--port: allowed is a number from 1 to 65535");
    }
}
