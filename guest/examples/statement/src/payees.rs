//! Whom the account of a made-up café pays, and who pays it: what `generate` chooses from.

use std::ops::RangeInclusive;

use crate::recurring::Period;

/// One that pays or is paid regularly.
pub(crate) struct Regular {
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) period: Period,
    /// Minor units from which the usual amount is drawn.
    pub(crate) usual: RangeInclusive<u32>,
    /// How far an amount is from the usual one at most, in percent.
    pub(crate) wobble: u32,
    pub(crate) is_incoming: bool,
}

/// One that pays or is paid now and then.
pub(crate) struct Irregular {
    pub(crate) trade: &'static str,
    pub(crate) category: &'static str,
    /// Minor units.
    pub(crate) amounts: RangeInclusive<u32>,
    pub(crate) is_incoming: bool,
}

use Period::{Fortnightly, Monthly, Quarterly, Weekly};

const fn paid(
    name: &'static str,
    category: &'static str,
    period: Period,
    usual: RangeInclusive<u32>,
    wobble: u32,
) -> Regular {
    Regular { name, category, period, usual, wobble, is_incoming: false }
}

pub(crate) const REGULAR: [Regular; 20] = [
    paid("Lindner Immobilien KG", "Rent", Monthly, 290_000..=420_000, 0),
    paid("Stadtwerke Auental", "Energy", Monthly, 48_000..=76_000, 0),
    paid("Wasserverband Auental", "Energy", Quarterly, 21_000..=34_000, 4),
    paid("Fernnetz Telekom", "Communication", Monthly, 5_990..=8_990, 0),
    paid("Anna Petri", "Wages", Monthly, 210_000..=260_000, 3),
    paid("Jonas Wirth", "Wages", Monthly, 190_000..=240_000, 3),
    paid("Mira Sander", "Wages", Monthly, 120_000..=160_000, 4),
    paid("Elif Kaya", "Wages", Monthly, 52_000..=60_000, 0),
    paid("Tom Reuter", "Wages", Monthly, 52_000..=60_000, 0),
    paid("Krankenkasse Mitte", "Social security", Monthly, 180_000..=230_000, 3),
    paid("Finanzamt Auental", "Taxes", Monthly, 150_000..=240_000, 4),
    paid("Gewerbeamt Auental", "Taxes", Quarterly, 60_000..=110_000, 0),
    paid("Concordia Versicherung", "Insurance", Quarterly, 38_000..=52_000, 0),
    paid("Barista Leasing GmbH", "Equipment", Monthly, 24_000..=39_000, 0),
    paid("Kassenwolke Software", "Software", Monthly, 4_900..=7_900, 0),
    paid("Hofladen Brunner", "Produce", Weekly, 38_000..=56_000, 4),
    paid("Molkerei Alpblick", "Produce", Weekly, 26_000..=37_000, 4),
    paid("Wäscherei Weiss", "Cleaning", Fortnightly, 9_000..=14_000, 3),
    paid("Kaffeerösterei Sturm", "Produce", Fortnightly, 44_000..=68_000, 4),
    Regular {
        name: "Volkshochschule Auental",
        category: "Catering",
        period: Monthly,
        usual: 90_000..=140_000,
        wobble: 3,
        is_incoming: true,
    },
];

const fn bought(trade: &'static str, category: &'static str, amounts: RangeInclusive<u32>) -> Irregular {
    Irregular { trade, category, amounts, is_incoming: false }
}

const fn sold(trade: &'static str, category: &'static str, amounts: RangeInclusive<u32>) -> Irregular {
    Irregular { trade, category, amounts, is_incoming: true }
}

pub(crate) const IRREGULAR: [Irregular; 15] = [
    bought("Bakery", "Produce", 1_200..=9_900),
    bought("Wholesale", "Produce", 4_500..=38_000),
    bought("Fruit", "Produce", 900..=7_500),
    bought("Hardware", "Repairs", 450..=12_500),
    bought("Stationery", "Office", 300..=6_400),
    bought("Petrol", "Transport", 2_500..=9_800),
    bought("Couriers", "Transport", 590..=3_900),
    bought("Flowers", "Furnishing", 900..=8_000),
    bought("Plumbing", "Repairs", 6_500..=48_000),
    bought("Print", "Advertising", 1_900..=24_000),
    bought("Crockery", "Equipment", 1_500..=31_000),
    sold("Events", "Catering", 12_000..=95_000),
    sold("Architects", "Catering", 4_800..=32_000),
    sold("Legal", "Catering", 3_900..=41_000),
    sold("Theatre", "Catering", 8_000..=64_000),
];

/// What the customers pay by card: a settlement on each working day.
pub(crate) const CARDS: Irregular = sold("Kartenkasse", "Card sales", 55_000..=210_000);

pub(crate) const SURNAMES: [&str; 24] = [
    "Ahrens", "Berger", "Claasen", "Dietz", "Engel", "Falk", "Groth", "Hofmann", "Ihle", "Jansen", "Klee",
    "Lorenz", "Marten", "Noll", "Oster", "Pohl", "Quandt", "Riedel", "Seidel", "Thiel", "Ulmer", "Vogt",
    "Wolff", "Zeller",
];
