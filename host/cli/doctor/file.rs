//! What `strongroom doctor` says of the settings file: who can read the secrets in it.

use std::path::Path;

use strongroom_host::Config;

use super::Finding;

/// A warning where anybody on the machine can read a file that secrets may be in.
#[cfg(unix)]
pub(super) fn look_at(file: &Path, config: &Config) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let has_secrets = config.is_encrypted() || config.has_key_secret();
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    (has_secrets && mode & 0o007 != 0).then(|| {
        Finding::warning(
            "settings file",
            "can be read by everybody on this machine, and so its secrets",
            "chmod 600, as the user that the host runs as; or 640, for a group of its own",
        )
    })
}

#[cfg(not(unix))]
pub(super) fn look_at(_file: &Path, _config: &Config) -> Option<Finding> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_in_a_file_that_everybody_can_read_are_a_warning() {
        let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
        let secret = Config::new().key_secret("a passphrase").expect("long enough");
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), permissions).expect("it is ours");
            assert_eq!(look_at(file.path(), &secret).is_some(), is_open, "{mode:o}");
            assert!(look_at(file.path(), &Config::new()).is_none(), "there are no secrets");
        }
        assert!(look_at(Path::new("/no/such.toml"), &secret).is_none());
    }
}
