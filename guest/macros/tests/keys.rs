//! Which calls share a key: what `#[cached]` writes is run with a `Memo` that tells its key.
#![allow(dead_code, reason = "a `Memo` has more than its key, and the traits more than is called")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use strongroom::cached;

/// The SDK, with nothing behind it.
mod telling {
    pub(crate) use strongroom::{ComputeOptions, Error, Ttl};

    pub(crate) mod memoize {
        use std::cell::RefCell;

        pub(crate) use strongroom::memoize::*;
        use strongroom::{Cache, ComputeOptions, Error};

        thread_local! {
            pub(crate) static KEYS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        }

        pub(crate) struct Memo {
            pub(crate) open: fn(Option<&str>) -> Result<Cache, Error>,
            pub(crate) namespace: Option<&'static str>,
            pub(crate) options: ComputeOptions,
            pub(crate) key: Result<String, Error>,
        }

        impl Memo {
            fn tell(self) {
                KEYS.with_borrow_mut(|keys| keys.push(self.key.expect("a key")));
            }

            pub(crate) fn compute<H, T>(self, _: H, function: impl FnOnce() -> T) -> T {
                self.tell();
                function()
            }

            pub(crate) fn refresh<H, T>(self, _: H, function: impl FnOnce() -> T) -> T {
                self.tell();
                function()
            }

            pub(crate) async fn compute_async<H, T>(self, _: H, future: impl Future<Output = T>) -> T {
                self.tell();
                future.await
            }

            pub(crate) async fn refresh_async<H, T>(self, _: H, future: impl Future<Output = T>) -> T {
                self.tell();
                future.await
            }

            pub(crate) fn invalidate(self) -> Result<bool, Error> {
                self.tell();
                Ok(true)
            }
        }
    }
}

/// The keys of the calls in the closure.
fn keys<R>(calls: impl FnOnce() -> R) -> Vec<String> {
    calls();
    telling::memoize::KEYS.take()
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

struct Bank;
struct Other;
struct Of<T>(T);

impl Bank {
    #[cached(timeout = 60, crate = telling)]
    fn label(&self) -> u8 {
        1
    }

    #[cached(timeout = 60, crate = telling, version = 2)]
    async fn later(&self, day: u8) -> u8 {
        day
    }
}

impl<T> Of<T> {
    #[cached(timeout = 60, crate = telling)]
    fn label(&self) -> u8 {
        2
    }
}

trait A {
    #[cached(timeout = 60, crate = telling)]
    fn label(&self) -> u8 {
        3
    }

    #[cached(timeout = 60, crate = telling)]
    async fn later(&self, day: u8) -> u8 {
        day
    }
}

trait B {
    #[cached(timeout = 60, crate = telling)]
    fn label(&self) -> u8 {
        4
    }
}

/// It has the companions as well, so what implements it can be cached.
trait Declared<T> {
    fn of(&self, day: T) -> u8;
    fn of_uncached(&self, day: T) -> u8;
    fn of_refresh(&self, day: T) -> u8;
    fn of_invalidate(&self, day: T) -> Result<bool, strongroom::Error>;
}

macro_rules! declared {
    ($($ty:ty: $day:ty),*) => {
        $(impl Declared<$day> for $ty {
            #[cached(timeout = 60, crate = telling)]
            fn of(&self, day: $day) -> u8 {
                u8::try_from(day).unwrap_or(0)
            }
        })*
    };
}

declared!(Bank: u8, Bank: u16, Other: u8);

mod elsewhere {
    pub(crate) trait A {
        #[strongroom::cached(timeout = 60, crate = crate::telling)]
        fn label(&self) -> u8 {
            5
        }
    }

    impl A for crate::Bank {}

    impl crate::Bank {
        #[strongroom::cached(timeout = 60, crate = crate::telling)]
        pub(crate) fn away(&self) -> u8 {
            6
        }
    }
}

impl A for Bank {}

impl B for Bank {}

impl A for Other {}

impl<T> B for Of<T> {}

#[test]
fn methods_of_one_name_have_a_key_for_each_type_and_each_definition() {
    let all = keys(|| {
        Bank.label();
        A::label(&Bank);
        B::label(&Bank);
        elsewhere::A::label(&Bank);
        A::label(&Other);
        Of(1_u8).label();
        Of(1_u16).label();
        B::label(&Of(1_u8));
        B::label(&Of(1_u16));
    });
    assert_eq!(
        all,
        [
            "keys::Bank::label()",
            "<keys::Bank>keys::A::label()",
            "<keys::Bank>keys::B::label()",
            "<keys::Bank>keys::elsewhere::A::label()",
            "<keys::Other>keys::A::label()",
            "<keys::Of<u8>>keys::Of<_>::label()",
            "<keys::Of<u16>>keys::Of<_>::label()",
            "<keys::Of<u8>>keys::B::label()",
            "<keys::Of<u16>>keys::B::label()",
        ]
    );
}

#[test]
fn methods_in_the_impls_of_a_trait_have_a_key_for_each_impl() {
    let all = keys(|| {
        Bank.of(1_u8);
        Bank.of(1_u16);
        Other.of(1_u8);
    });
    assert_eq!(
        all,
        [
            "<keys::Bank><keys::Bank as keys::Declared<u8>>::of(1)",
            "<keys::Bank><keys::Bank as keys::Declared<u16>>::of(1)",
            "<keys::Other><keys::Other as keys::Declared<u8>>::of(1)",
        ]
    );
}

#[test]
fn methods_of_a_local_type_and_of_another_module_have_its_path() {
    struct Local;
    impl Local {
        #[cached(timeout = 60, crate = telling)]
        fn label(&self) -> u8 {
            9
        }
    }
    let path = "keys::methods_of_a_local_type_and_of_another_module_have_its_path";
    assert_eq!(keys(|| Local.label()), [format!("{path}::Local::label()")]);
    let path = "<keys::Bank>keys::elsewhere::<impl keys::Bank>::away()";
    assert_eq!(keys(|| Bank.away()), [path]);
}

#[test]
fn a_function_and_its_companions_share_a_key() {
    let all = keys(|| {
        Bank.label();
        Bank.label_refresh();
        Bank.label_invalidate()
    });
    assert_eq!(all, ["keys::Bank::label()"; 3]);
    let all = keys(|| {
        ready(Bank.later(1));
        ready(Bank.later_refresh(1));
        Bank.later_invalidate(1)
    });
    assert_eq!(all, ["keys::Bank::later@2(1)"; 3]);
    let all = keys(|| {
        ready(A::later(&Bank, 1));
        ready(A::later_refresh(&Bank, 1));
        A::later_invalidate(&Bank, 1)
    });
    assert_eq!(all, ["<keys::Bank>keys::A::later(1)"; 3]);
}
