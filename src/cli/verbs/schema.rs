//! `wooo schema`, `wooo openapi` and `wooo completions`.

use clap::CommandFactory;

use crate::cli::args::{Cli, CompletionsArgs, Schema, SchemaArgs};
use crate::cli::output::Printer;
use crate::domain::{AppSpec, FleetSettings, Problems, Release};

pub(in crate::cli) fn run(args: &SchemaArgs, printer: &Printer) -> Result<bool, Problems> {
    let schema = match args.what {
        Schema::App => schemars::schema_for!(AppSpec),
        Schema::Release => schemars::schema_for!(Release),
        Schema::Fleet => schemars::schema_for!(FleetSettings),
    };
    // A schema is JSON whatever else is asked for: editors and validators read nothing else.
    printer.raw(&format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default()));
    Ok(true)
}

pub(in crate::cli) fn openapi(printer: &Printer) -> Result<bool, Problems> {
    let document = crate::web::server::describe(crate::web::people::routes());
    printer.raw(&format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default()));
    Ok(true)
}

pub(in crate::cli) fn completions(args: &CompletionsArgs, printer: &Printer) -> Result<bool, Problems> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wooo", &mut script);
    printer.raw(&String::from_utf8_lossy(&script));
    Ok(true)
}
