//! `next.config.*`.

use crate::detect::pattern::Pattern;

/// The names that Next.js looks for.
pub(crate) const NAMES: [&str; 4] = ["next.config.js", "next.config.mjs", "next.config.ts", "next.config.cjs"];

/// What a build makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Output {
    /// A server with only what it needs: `.next/standalone`.
    Standalone,
    /// Files to serve: `out`.
    Export,
}

/// The `output` setting and its line.
pub(crate) fn output(text: &str) -> Option<(Output, usize)> {
    static OUTPUT: Pattern =
        Pattern::new(r#"^\s*(?:[^/*]*[{,\s.])?["']?output["']?\s*[:=]\s*["'](standalone|export)["']"#);
    text.lines().enumerate().find_map(|(at, line)| match OUTPUT.first(line)? {
        "export" => Some((Output::Export, at + 1)),
        _ => Some((Output::Standalone, at + 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_found_and_a_comment_is_not() {
        assert_eq!(output("const c = {\n  output: 'standalone',\n}"), Some((Output::Standalone, 2)));
        assert_eq!(output("module.exports = { output: \"export\" }"), Some((Output::Export, 1)));
        assert_eq!(output("// output: 'export'\nmodule.exports = {}"), None);
    }
}
