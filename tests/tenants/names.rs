//! Names that are made to be taken for one another, and the ways in which they would be.

use crate::dice::Dice;

/// Longest identifier and namespace, and longest key.
pub(crate) const NAME_BYTES_MAX: usize = 256;
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// What names may be joined with by somebody who joins them, besides nothing and a colon: the usual
/// separators, and what stands between two parts in the frame of a storage key.
pub(crate) const SEPARATORS: [&str; 7] = ["/", "\0", "|", "%", ".", "\r\n", "\u{1}\0\0\0\u{1}"];

/// The few names of which every round has all: with them, the ends of one name are the beginnings of another,
/// whatever of three things they are joined with.
pub(crate) fn core(separator: &str) -> Vec<String> {
    let mut core = vec!["a".to_owned(), "b".to_owned()];
    for separator in ["", ":", separator] {
        core.extend([format!("a{separator}b"), format!("b{separator}a")]);
    }
    core
}

/// What somebody who is not careful with names takes for `a`.
pub(crate) fn likes_of_a() -> Vec<String> {
    let likes = [
        "A",
        "ａ",
        "а",
        "a ",
        " a",
        "a\0",
        "a\0b",
        "\0a",
        "a\r\n",
        "a\nb",
        "a%00",
        "a*",
        "\u{200b}a",
        "\u{feff}a",
        "a\u{202e}",
        "a\u{301}",
        "\ta",
    ];
    likes.map(str::to_owned).to_vec()
}

/// Names of every kind that something between an extension and memcached could stumble over. `storage_keys`
/// are those of other owners.
pub(crate) fn pool(separator: &str, storage_keys: &[String]) -> Vec<String> {
    let mut pool: Vec<String> = FIXED.iter().map(|name| (*name).to_owned()).collect();
    let long = "a".repeat(NAME_BYTES_MAX);
    pool.extend([
        long[..NAME_BYTES_MAX - 1].to_owned(),
        format!("{}b", &long[..NAME_BYTES_MAX - 1]),
        format!("{}b", &long[..249]),
        "é".repeat(NAME_BYTES_MAX / 2),
        "\0".repeat(NAME_BYTES_MAX),
        format!("a{separator}"),
        format!("{separator}a"),
        format!("a{separator}{separator}b"),
        format!("a{separator}b{separator}a"),
        format!("{separator}{separator}x"),
        long,
    ]);
    for key in storage_keys {
        pool.push(key.clone());
        // Without the deployment's prefix.
        pool.extend(key.rsplit_once(':').map(|(_, item)| item.to_owned()));
    }
    pool
}

/// What is too long to be anything but a key.
pub(crate) fn long_keys() -> Vec<String> {
    let long = "k".repeat(KEY_BYTES_MAX);
    let almost = &long[..KEY_BYTES_MAX - 1];
    vec![format!("{almost}a"), almost.to_owned(), format!("{almost}\0"), long.clone()]
}

const FIXED: &[&str] = &[
    // Beginnings and ends of each other.
    "aa",
    "bc",
    "abc",
    "c",
    "b\0a",
    "\0",
    "\0\0",
    // What frames are made of.
    "\u{1}\0\0\0\u{1}a",
    "a\u{1}\0\0\0\u{1}b",
    "\0\0\0\u{1}a",
    "strongroom/v1/entry",
    "strongroom/v1/own",
    "service",
    "stack",
    "session",
    "None",
    "null",
    // Commands, replies and line ends.
    "\r\n",
    "\n",
    "a b",
    " ",
    "\t",
    "flush_all\r\n",
    "a\r\nflush_all\r\n",
    "a 0 0 1\r\nx\r\nget b",
    "mg a v t f c\r\n",
    "ms a 1\r\nx\r\n",
    "EN\r\n",
    "VA 1 f0 c1\r\nx\r\n",
    "END\r\n",
    // Separators and escapes.
    ":",
    "/",
    "a/b",
    "a//b",
    "a/../b",
    "..",
    "a%2Fb",
    "%",
    "%00",
    "a|b",
    "*",
    "?",
    "hush-a:a",
    "hush-a",
    "hush-name",
    // One text in several forms: composed and not, upper and lower case, and what looks alike.
    "é",
    "e\u{301}",
    "É",
    "å",
    "\u{212b}",
    "ﬁ",
    "fi",
    "ß",
    "ss",
    "B",
    "İ",
    "i",
    "a\u{202e}b",
    "💥",
    // Numbers.
    "0",
    "00",
    "1",
    "-1",
];

/// Service, stack, session, the session's issue, namespace and key; what an owner does not have is `None`.
pub(crate) type Names<'a> = [Option<&'a str>; 6];

/// What a wrong way to make storage keys may do to names: those that it folds into one are each other's
/// twins.
pub(crate) const FOLDINGS: &[fn(&Names<'_>) -> String] = &[
    // Joined.
    |names| joined(names, ""),
    |names| joined(names, ":"),
    |names| joined(names, "/"),
    |names| joined(names, "\0"),
    |names| joined(names, "|"),
    |names| joined(names, "%"),
    |names| joined(names, "."),
    |names| joined(names, "\r\n"),
    |names| joined(names, "\u{1}\0\0\0\u{1}"),
    |names| joined(&names.map(|name| Some(name.unwrap_or_default())), ":"),
    // One or more left out.
    |names| without(names, &[0]),
    |names| without(names, &[1]),
    |names| without(names, &[2]),
    |names| without(names, &[3]),
    |names| without(names, &[4]),
    |names| without(names, &[5]),
    |names| without(names, &[0, 1]),
    |names| without(names, &[1, 2]),
    |names| without(names, &[2, 3]),
    |names| without(names, &[3, 4]),
    |names| without(names, &[1, 2, 3]),
    |names| without(names, &[1, 2, 3, 4]),
    |names| without(names, &[2, 3, 4]),
    // In no order.
    |names| {
        let mut sorted = *names;
        sorted.sort_unstable();
        format!("{sorted:?}")
    },
    // Each one changed.
    |names| each(names, |name| name.to_lowercase()),
    |names| each(names, |name| name.trim().to_owned()),
    |names| each(names, |name| name.split('\0').next().unwrap_or_default().to_owned()),
    |names| each(names, |name| name.lines().next().unwrap_or_default().to_owned()),
    |names| each(names, |name| name.chars().take(249).collect()),
    |names| each(names, |name| name.chars().filter(char::is_ascii).collect()),
    |names| each(names, |name| name.chars().filter(|c| c.is_alphanumeric()).collect()),
    |names| each(names, composed),
    |names| each(names, |name| name.replace("%2F", "/").replace("%00", "\0")),
];

fn joined(names: &Names<'_>, separator: &str) -> String {
    let present: Vec<_> = names.iter().flatten().copied().collect();
    present.join(separator)
}

fn without(names: &Names<'_>, left_out: &[usize]) -> String {
    let kept: Vec<_> = (0..names.len()).filter(|at| !left_out.contains(at)).map(|at| names[at]).collect();
    format!("{kept:?}")
}

fn each(names: &Names<'_>, change: impl Fn(&str) -> String) -> String {
    format!("{:?}", names.map(|name| name.map(&change)))
}

/// The composed form of those names here that have one, and of what looks alike.
fn composed(name: &str) -> String {
    let name = name.replace("e\u{301}", "é").replace('\u{212b}', "å").replace("ﬁ", "fi").replace('ß', "ss");
    name.replace(['ａ', 'а'], "a").replace(['\u{200b}', '\u{feff}', '\u{202e}'], "")
}

/// Some of a pool, each once.
pub(crate) fn sample(pool: &mut Vec<String>, count: usize, bytes_max: usize, dice: &mut Dice) -> Vec<String> {
    let mut sample = Vec::with_capacity(count);
    while sample.len() < count && !pool.is_empty() {
        let name = pool.swap_remove(dice.below(pool.len()));
        if name.len() <= bytes_max && !sample.contains(&name) {
            sample.push(name);
        }
    }
    sample
}
