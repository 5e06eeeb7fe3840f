//! Answers of a cluster: what is read, and what changes nothing.

use super::*;

fn answer(config: &str) -> Vec<u8> {
    format!("CONFIG cluster 0 {}\r\n{config}\r\nEND\r\n", config.len()).into_bytes()
}

#[test]
fn an_answer_is_read_however_it_is_cut() {
    let whole = answer("12\nmy.0001.cache|10.0.0.1|11211 my.0002.cache||11212\n");
    for cut in 0..whole.len() {
        assert_eq!(read(&whole[..cut]), Ok(None), "{cut} bytes");
    }
    let cluster = read(&whole).expect("well-formed").expect("whole");
    assert_eq!(cluster.version, 12);
    let shown: Vec<_> =
        cluster.servers.iter().map(|server| (server.name.as_str(), server.address.to_string())).collect();
    assert_eq!(
        shown,
        [
            ("my.0001.cache:11211", "10.0.0.1:11211".to_owned()),
            ("my.0002.cache:11212", "my.0002.cache:11212".to_owned()),
        ]
    );
}

#[test]
fn what_is_malformed_is_an_error_and_never_waited_for() {
    let many = format!("1\n{}\n", (0..257).map(|number| format!("h{number}||1 ")).collect::<String>());
    for config in
        ["", "x\nh||1\n", "1\n\n", "1\nh||0\n", "1\nh|1\n", "1\n||1\n", "1\nh||1 h||1\n", "1\nh||1|\n", &many]
    {
        assert_eq!(read(&answer(config)), Err(malformed()), "{config:.40}");
    }
    for reply in [
        "CONFIG cluster 0 5\r\n1\nh||1\n\r\nEND\r\n",
        "CONFIG cluster 0 4294967295\r\n",
        "CONFIG cluster 0 -1\r\n",
        "VALUE x 0 1\r\n",
        &"x".repeat(1000),
    ] {
        assert_eq!(read(reply.as_bytes()), Err(malformed()), "{reply:.40}");
    }
    let unknown = read(b"ERROR\r\n").expect_err("it does not know the command");
    assert!(unknown.contains("does not know"), "{unknown}");
}
