//! The command line: arguments in, words out.
//!
//! Owns the grammar of the commands, the clock and the identity of whoever types, and all terminal output. Decides
//! nothing about a fleet: each verb hands its arguments to one operation and prints what came of it.

mod args;
mod client;
mod identity;
mod log;
mod output;
mod progress;
mod report;
mod service;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Verb};
use self::output::Printer;
use self::report::Report;
use crate::domain::Problems;

/// What the program ends with if the time that it was given to wait was over first.
const TOO_LATE: u8 = 3;

/// Runs the program: exit code 0 if it did what was asked, 1 if it refused or failed, 2 if the command was not
/// understood, 3 if what it waited for had not come in time.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Where a test wants this process to stop; see `operations::reached`.
    let _points = fail::has_failpoints().then(fail::FailScenario::setup);
    let _log = log::start(cli.log_format, matches!(cli.verb, Verb::Serve(_)));
    let printer = Printer::new(cli.output, cli.color.color);
    let printer = match Report::folder(&cli.verb).map(Report::new).transpose() {
        Ok(report) => printer.reporting(report),
        Err(problem) => {
            printer.problems(&[problem]);
            return ExitCode::FAILURE;
        }
    };
    match run(cli.verb, &printer) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problems) => {
            printer.problems(problems.as_slice());
            match problems.as_slice() {
                [problem] if problem.code == "client.timeout" => ExitCode::from(TOO_LATE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// `Ok(false)` means that the verb did its work and the answer is no: drift was found, a check failed.
fn run(verb: Verb, printer: &Printer) -> Result<bool, Problems> {
    match verb {
        Verb::Demo(args) => verbs::demo::run(&args, printer),
        Verb::Serve(args) => verbs::serve::run(&args, printer),
        Verb::Init(args) => verbs::init::run(args, printer),
        Verb::Detect(args) => verbs::detect::run(&args, printer),
        Verb::Render(args) => verbs::render::run(&args, printer),
        Verb::Build(args) => verbs::build::run(&args, printer),
        Verb::Validate(args) => verbs::check::validate(&args, printer),
        Verb::Verify(args) => verbs::check::verify(&args, printer),
        Verb::Diff(args) => verbs::diff::run(&args, printer),
        Verb::Audit(args) => verbs::read::audit(&args, printer),
        Verb::Status(args) => verbs::read::status(&args, printer),
        Verb::Changes(args) => verbs::changes::list(&args, printer),
        Verb::Change(args) => verbs::changes::show(&args, printer),
        Verb::Merge(args) => verbs::changes::merge(&args, printer),
        Verb::Close(args) => verbs::changes::close(&args, printer),
        Verb::Doctor(args) => verbs::doctor::run(&args, printer),
        Verb::Reindex(args) => verbs::reindex::run(&args, printer),
        Verb::Openapi => verbs::schema::openapi(printer),
        Verb::Schema(args) => verbs::schema::run(&args, printer),
        Verb::Completions(args) => verbs::schema::completions(&args, printer),
        Verb::Rerender(args) => verbs::rerender::run(args, printer),
        Verb::Onboard(args) => verbs::intent::onboard(args, printer),
        Verb::Deploy(args) => verbs::intent::deploy(args, printer),
        Verb::Configure(args) => verbs::intent::configure(args, printer),
        Verb::Rollback(args) => verbs::intent::rollback(args, printer),
        Verb::Restart(args) => verbs::intent::restart(args, printer),
        Verb::Scale(args) => verbs::intent::scale(args, printer),
        Verb::Resize(args) => verbs::intent::resize(args, printer),
        Verb::Promote(args) => verbs::intent::promote(args, printer),
        Verb::Hold(args) => verbs::intent::hold(args, printer),
        Verb::Unhold(args) => verbs::intent::unhold(args, printer),
        Verb::Secret(verb) => verbs::secret::run(verb, printer),
        Verb::Offboard(args) => verbs::intent::offboard(args, printer),
    }
}
