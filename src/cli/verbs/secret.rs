//! `wooo secret`.

use std::io::{IsTerminal, Read};

use secrecy::SecretString;

use super::{change_request, intent, place};
use crate::cli::args::{SecretSetArgs, SecretVerb};
use crate::cli::output::Printer;
use crate::domain::{Action, Intent, Problem, Problems};
use crate::operations::secrets;
use crate::secrets::MAX_VALUE_BYTES;

pub(in crate::cli) fn run(verb: SecretVerb, printer: &Printer) -> Result<bool, Problems> {
    match verb {
        SecretVerb::Set(args) => set(&args, printer),
        SecretVerb::Generate(args) => {
            let (app, environment) = (args.app, args.environment);
            let wish = Intent { app, environment, action: Action::GenerateSecrets };
            intent::on_fleet(printer, &args.change, &wish)
        }
    }
}

fn set(args: &SecretSetArgs, printer: &Printer) -> Result<bool, Problems> {
    let place = place(&args.change.fleet)?;
    let (request, options) = change_request(&args.change, &place);
    let value = value(args.name.as_str())?;
    let wish = secrets::set(&place, &args.app, args.environment.as_ref(), &args.name, &value, request.now)?;
    intent::carry_out(printer, &args.change, &place, &wish, &request, options)
}

/// The value from standard input, or from a prompt that does not show it: an argument would show in the list of
/// processes and in the shell's history.
fn value(name: &str) -> Result<SecretString, Problem> {
    let fail = |error: std::io::Error| Problem::new("secret.unreadable", format!("the value cannot be read: {error}"));
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        text = rpassword::prompt_password(format!("Value of {name}: ")).map_err(fail)?;
    } else {
        // A byte more and a line break: what is too long is refused by who encrypts, and not cut here.
        std::io::stdin().lock().take(MAX_VALUE_BYTES as u64 + 3).read_to_string(&mut text).map_err(fail)?;
    }
    // `echo` and editors end with a line break that is not meant.
    let meant = text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    let value = SecretString::from(meant);
    drop(SecretString::from(text));
    Ok(value)
}
