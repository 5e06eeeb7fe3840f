//! The choice of servers: pinned, in proportion to the weights, and as still as can be when servers change.

use proptest::prelude::*;

use super::*;

fn key(number: u64) -> StorageKey {
    let text = format!("{number:032}");
    StorageKey::new("bank-042", text.as_bytes().try_into().expect("32 digits"))
}

fn servers(list: &[&str]) -> Vec<Server> {
    list.iter().map(|text| Server::parse(text).expect("of the right form")).collect()
}

fn home_name(servers: &[Server], key: &StorageKey) -> String {
    servers[Router::new(servers).home(key).expect("there are servers")].name.clone()
}

/// The first letters of the homes of the first keys.
fn homes(list: &[&str]) -> String {
    let servers = servers(list);
    (0..32).map(|number| home_name(&servers, &key(number))[..1].to_owned()).collect()
}

#[test]
fn the_choice_is_pinned() {
    let even = "abbbbbbbcabbbababcabaababacbaaaa";
    assert_eq!(homes(&["a=h:1", "b=h:2", "c=h:3"]), even);
    assert_eq!(homes(&["a=h:1*2", "b=h:2*2", "c=h:3*2"]), even, "weights are proportions");
    assert_eq!(homes(&["a=h:1*1", "b=h:2*3", "c=h:3*10"]), "cbbbcccccccbbcccccccccbcbccccbcc");
    let addresses = ["10.0.0.5", "[::1]:11311", "unix:/run/memcached.sock"];
    assert_eq!(homes(&addresses), "u[u[[u[[u[1uu[[[11[[1u[1[[1u[111");
    let router = Router::new(&servers(&["a=h:1", "b=h:2", "c=h:3", "d=h:4*5"]));
    assert_eq!(router.ranked(&key(0), 3), [3, 0, 2]);
    assert_eq!(router.ranked(&key(1), 3), [1, 3, 2]);
    assert_eq!(router.ranked(&key(2), 9), [1, 0, 3, 2]);
}

#[test]
fn without_a_server_there_is_no_home_and_one_server_is_everybodys() {
    assert_eq!(Router::new(&[]).home(&key(1)), None);
    assert_eq!(Router::new(&servers(&["a:1"])).home(&key(1)), Some(0));
    assert!(Router::new(&servers(&["a:1"])).is_only("a:1"));
}

#[test]
fn equal_weights_of_any_size_choose_alike_with_and_without_the_logarithm() {
    let even = Router::new(&servers(&["a:1*7", "b:1*7", "c:1*7", "d:1*7"]));
    let by_logarithm = Router { is_even: false, ..even.clone() };
    for number in 0..2000 {
        assert_eq!(even.ranked(&key(number), 4), by_logarithm.ranked(&key(number), 4));
    }
}

#[test]
fn shares_are_in_proportion_to_the_weights() {
    const KEYS: u64 = 40_000;
    for list in [&["a:1*1", "b:1*2", "c:1*5"][..], &["a:1", "b:1", "c:1", "d:1", "e:1"], &["a:1*1000", "b:1"]]
    {
        let servers = servers(list);
        let router = Router::new(&servers);
        let total: u32 = servers.iter().map(|server| server.weight).sum();
        for (index, server) in servers.iter().enumerate() {
            let share = f64::from(server.weight) / f64::from(total);
            let count = (0..KEYS).filter(|number| router.home(&key(*number)) == Some(index)).count() as f64;
            // Five standard deviations of a binomial: a fair choice is out of them once in two million.
            let bound = 5.0 * (KEYS as f64 * share * (1.0 - share)).sqrt();
            let expected = KEYS as f64 * share;
            assert!((count - expected).abs() <= bound, "{}: {count}, not {expected}", server.name);
        }
    }
}

fn any_servers() -> impl Strategy<Value = Vec<Server>> {
    proptest::collection::btree_map("[a-z0-9.:-]{1,20}", 1_u32..=20, 1..12).prop_map(|servers| {
        let server = |(name, weight)| Server { name, weight, ..Server::parse("h").expect("a host") };
        servers.into_iter().map(server).collect()
    })
}

proptest! {
    #[test]
    fn a_server_that_goes_takes_its_own_keys_only(servers in any_servers(), gone: usize, number: u64) {
        prop_assume!(servers.len() > 1);
        let mut left = servers.clone();
        let gone = left.remove(gone % servers.len());
        // Weights that become equal by it are compared otherwise, and choose the same.
        let (before, after) = (home_name(&servers, &key(number)), home_name(&left, &key(number)));
        prop_assert!(before == gone.name || before == after);
    }

    #[test]
    fn a_heavier_server_keeps_what_it_had(servers in any_servers(), heavier: usize, number: u64) {
        let heavier = heavier % servers.len();
        let mut after = servers.clone();
        after[heavier].weight += 5;
        let (before, after) = (home_name(&servers, &key(number)), home_name(&after, &key(number)));
        prop_assert!(before == after || after == servers[heavier].name);
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(servers in any_servers(), turn: usize, number: u64) {
        let mut turned = servers.clone();
        turned.rotate_left(turn % servers.len());
        turned.reverse();
        let names = |servers: &[Server]| -> Vec<String> {
            let ranked = Router::new(servers).ranked(&key(number), usize::MAX);
            ranked.into_iter().map(|index| servers[index].name.clone()).collect()
        };
        prop_assert_eq!(names(&servers), names(&turned));
        prop_assert_eq!(home_name(&servers, &key(number)), names(&servers)[0].clone());
    }

    #[test]
    fn to_be_among_the_first_is_to_be_ranked_there(servers in any_servers(), count in 1_usize..4, number: u64) {
        let router = Router::new(&servers);
        let ranked = router.ranked(&key(number), count);
        for (index, server) in servers.iter().enumerate() {
            prop_assert_eq!(router.is_among(&server.name, &key(number), count), ranked.contains(&index));
        }
        prop_assert!(!router.is_among("of another set", &key(number), count));
    }
}
