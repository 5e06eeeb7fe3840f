//! The text of `key = "…"`: what `format!` takes, and fields besides.

use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Error, Ident, LitStr, Member, Result};

/// A key in parts: a format string without names, and what belongs in its places.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    /// `rate:{}/{:08}`.
    pub(crate) format: String,
    pub(crate) places: Vec<Place>,
}

/// `self.account.id` in `{self.account.id:08}`.
pub(crate) struct Place {
    pub(crate) root: Ident,
    pub(crate) fields: Vec<Member>,
}

impl Template {
    pub(crate) fn parse(literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        let mut template = Self { literal: literal.clone(), format: String::new(), places: Vec::new() };
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (head, tail) = rest.split_at(at);
            template.format += head;
            if tail.starts_with("{{") || tail.starts_with("}}") {
                template.format += &tail[..2];
                rest = &tail[2..];
                continue;
            }
            let (place, after) = tail
                .strip_prefix('{')
                .ok_or_else(|| wrong(literal, "a `}` without its `{`: write `}}` for the character"))?
                .split_once('}')
                .ok_or_else(|| wrong(literal, "a `{` without its `}`: write `{{` for the character"))?;
            template.place(place)?;
            rest = after;
        }
        template.format += rest;
        Ok(template)
    }

    fn place(&mut self, text: &str) -> Result<()> {
        let (path, format) = text.split_once(':').map_or((text, None), |(path, format)| (path, Some(format)));
        if format.is_some_and(|format| format.contains(['$', '{'])) {
            return Err(wrong(&self.literal, "widths and precisions of a key are numbers: `{amount:08.2}`"));
        }
        let mut names = path.trim().split('.');
        let root = names.next().unwrap_or_default();
        let Ok(mut root) = Ident::parse_any.parse_str(root) else {
            return Err(wrong(
                &self.literal,
                &format!(
                    "`{{{text}}}` names no argument: write its name, such as `{{currency}}` or `{{self.region}}`"
                ),
            ));
        };
        root.set_span(self.literal.span());
        let fields = names.map(|name| field(name, &self.literal)).collect::<Result<_>>()?;
        self.places.push(Place { root, fields });
        self.format += &format.map_or_else(|| "{}".to_owned(), |format| format!("{{:{format}}}"));
        Ok(())
    }
}

fn field(name: &str, literal: &LitStr) -> Result<Member> {
    let mut field: Member = syn::parse_str(name).map_err(|_| {
        wrong(literal, &format!("`{name}` is no field: a key takes arguments and their fields"))
    })?;
    match &mut field {
        Member::Named(name) => name.set_span(literal.span()),
        Member::Unnamed(index) => index.span = literal.span(),
    }
    Ok(field)
}

fn wrong(literal: &LitStr, message: &str) -> Error {
    Error::new(literal.span(), message)
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    /// The format string, and the paths of its places.
    fn parsed(key: &str) -> Result<(String, Vec<String>)> {
        let template = Template::parse(&LitStr::new(key, Span::call_site()))?;
        let path = |place: Place| {
            let fields = place.fields.iter().map(|field| match field {
                Member::Named(name) => format!(".{name}"),
                Member::Unnamed(index) => format!(".{}", index.index),
            });
            format!("{}{}", place.root, fields.collect::<String>())
        };
        Ok((template.format, template.places.into_iter().map(path).collect()))
    }

    #[test]
    fn places_are_taken_out_of_the_text() {
        let (format, places) =
            parsed("rate:{currency}/{self.bank.0 :>8}{{x}}é{r:?}").expect("it is well-formed");
        assert_eq!(format, "rate:{}/{:>8}{{x}}é{:?}");
        assert_eq!(places, ["currency", "self.bank.0", "r"]);
    }

    #[test]
    fn what_format_does_not_take_is_refused() {
        for key in
            ["{", "}", "a{b", "a}b", "{}", "{0}", "{a.}", "{a b}", "{a()}", "{a:w$}", "{a:{b}}", "{.a}"]
        {
            assert!(parsed(key).is_err(), "{key}");
        }
    }
}
