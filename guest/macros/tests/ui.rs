//! A program for each thing that compiles and for each mistake, with what the compiler says to it.

#[test]
fn what_is_right_compiles_and_each_mistake_says_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
