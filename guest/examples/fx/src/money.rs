//! Numbers as people read them.

/// With thousands set apart and this many decimals: `1,234.50`.
pub(crate) fn grouped(number: f64, decimals: usize) -> String {
    let plain = format!("{number:.decimals$}");
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// An amount of money: to the cent, and finer where cents would show little of it.
pub(crate) fn amount(number: f64) -> String {
    grouped(number, if number < 1.0 { 4 } else { 2 })
}

/// A rate: to about six digits that matter.
pub(crate) fn rate(number: f64) -> String {
    grouped(number, if number < 0.1 { 6 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0.0, 0), "0");
        assert_eq!(grouped(999.0, 0), "999");
        assert_eq!(grouped(2261.0, 0), "2,261");
        assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
    }

    #[test]
    fn small_amounts_show_more_decimals() {
        assert_eq!(amount(250.0), "250.00");
        assert_eq!(amount(0.006_172), "0.0062");
        assert_eq!(rate(148.760_558), "148.7606");
        assert_eq!(rate(0.006_722_2), "0.006722");
    }
}
