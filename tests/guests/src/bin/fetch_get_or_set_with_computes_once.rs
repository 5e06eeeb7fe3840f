//! What is missing is computed and stored; what is there is returned, and `compute` not called.

use strongroom::{ComputeOptions, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    let mut calls = 0;
    for _ in 0..3 {
        let value = cache.get_or_set_with("k", ttl, || {
            calls += 1;
            vec!["computed".to_owned()]
        });
        assert_eq!(value, ["computed"]);
    }
    assert_eq!(calls, 1);
    assert_eq!(cache.get::<Vec<String>>("k").expect("get").as_deref(), Some(&["computed".to_owned()][..]));

    // With a grace, which is stored with the value, and with the host's default lifetime.
    let options = ComputeOptions::new(Ttl::host_default()).grace(std::time::Duration::from_secs(60));
    assert_eq!(cache.get_or_set_with("graced", options, || 1), 1);
    assert_eq!(cache.get_or_set_with("graced", options, || 2), 1);

    // Deleted meanwhile: the caller has its value, and nothing is stored.
    let value = cache.get_or_set_with("deleted", ttl, || {
        cache.delete("deleted").expect("delete");
        1
    });
    assert_eq!((value, cache.get::<i32>("deleted").expect("get")), (1, None));
}
