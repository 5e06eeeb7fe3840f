//! One line of comma-separated text: into its fields, and from them.

use std::borrow::Cow;

/// The fields of a line. One that begins with a quote ends at the next; in between, two quotes are one.
pub(crate) fn split(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => {
                return Err("a quoted field goes on after its closing quote: double quotes in it".to_owned());
            }
        }
    }
}

/// The field up to its closing quote, and what comes after.
fn unquote(quoted: &str) -> Result<(Cow<'_, str>, &str), String> {
    let mut end = 0;
    loop {
        let next = quoted[end..].find('"').ok_or("a quoted field has no closing quote on its line")?;
        end += next;
        let after = &quoted[end + 1..];
        if !after.starts_with('"') {
            let field = &quoted[..end];
            let is_plain = !field.contains('"');
            let field = if is_plain { Cow::Borrowed(field) } else { Cow::Owned(field.replace("\"\"", "\"")) };
            return Ok((field, after));
        }
        end += 2;
    }
}

/// The field as it stands in a line: in quotes where it has to be.
pub(crate) fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_keep_commas_together() {
        assert_eq!(split("a,\"b, c\",d"), Ok(vec!["a".into(), "b, c".into(), "d".into()]));
        assert_eq!(split("\"say \"\"hi\"\"\","), Ok(vec!["say \"hi\"".into(), "".into()]));
        assert_eq!(split(""), Ok(vec!["".into()]));
        assert!(split("a,\"b").is_err_and(|complaint| complaint.contains("no closing quote")));
        assert!(split("\"a\"b,c").is_err_and(|complaint| complaint.contains("goes on after")));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(fields in proptest::collection::vec("[a-z,\" é]{0,8}", 1..6)) {
            let line = fields.iter().map(|text| field(text)).collect::<Vec<_>>().join(",");
            prop_assert_eq!(split(&line).map(|read| read.concat()), Ok(fields.concat()));
            prop_assert_eq!(split(&line).map(|read| read.len()), Ok(fields.len()));
        }
    }
}
