//! Methods, functions in an `impl`, and provided ones of a trait.
#![deny(warnings)]

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom::cached;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bank<T> {
    region: T,
}

impl<T: Clone + std::fmt::Display> Bank<T> {
    #[cached(timeout = 600, key = "{self.region}:{currency}")]
    fn rate(&self, currency: &str) -> String {
        format!("{}{currency}", self.region)
    }

    #[cached(timeout = 600, key = "{self.region}/{id:04}", skip(trace))]
    pub fn name(&self, id: u32, trace: &str) -> Result<String, std::fmt::Error> {
        if trace.is_empty() { Err(std::fmt::Error) } else { Ok(format!("{}{id}", self.region)) }
    }

    #[cached(timeout = 600)]
    fn owned(mut self: Box<Self>, region: T) -> u8
    where
        T: Serialize,
    {
        self.region = region;
        1
    }

    #[cached(timeout = 600)]
    fn shared(self: Arc<Self>, day: u32) -> u32 {
        day
    }

    #[cached(timeout = 600, in_impl)]
    fn is_open(day: u32) -> bool {
        day < 5
    }

    #[cached(timeout = 600)]
    async fn later(&self, day: u32) -> u32 {
        std::future::ready(day).await
    }
}

impl Bank<u8> {
    #[cached(timeout = 600)]
    fn new(region: u8) -> Self {
        Self { region }
    }

    #[cached(timeout = 600)]
    fn count() -> u8 {
        Self::new(3).region
    }
}

trait Named {
    #[cached(timeout = 600)]
    fn kind(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }
}

impl Named for u32 {}

fn main() {
    let bank = Bank { region: 7 };
    assert_eq!(bank.rate("USD"), "7USD");
    assert_eq!(bank.rate_uncached("USD"), bank.rate_refresh("USD"));
    assert!(bank.rate_invalidate("USD").is_err());
    assert_eq!((bank.name(1, "x"), bank.name(1, "")), (Ok("71".into()), Err(std::fmt::Error)));
    assert_eq!(Box::new(bank.clone()).owned(8), 1);
    assert_eq!(Arc::new(bank.clone()).shared(1), 1);
    assert!(Bank::<u8>::is_open(1) && Bank::<u8>::is_open_uncached(1));
    assert_eq!(Bank::new(7), Bank::new_uncached(7));
    assert_eq!(Bank::count(), 3);
    assert_eq!((5.kind(), 5.kind_refresh()), ("u32".into(), "u32".into()));
    drop(bank.later(1));
    drop(bank.later_refresh(1));
}
