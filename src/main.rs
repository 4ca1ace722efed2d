//! The program: reads its arguments, starts logging, and runs one of its commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use strowger::commands;
use strowger::config::{Config, Settings};
use strowger::telemetry;

/// An actor-based multi-tenant telephony platform.
#[derive(Parser)]
#[command(name = "strowger", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform
    Serve {
        #[command(flatten)]
        settings: Settings,
        /// A TOML file with the same settings
        #[arg(long, value_name = "FILE", env = "STROWGER_CONFIG")]
        config: Option<PathBuf>,
        /// Make a demonstration tenant with a built-in test phone
        #[arg(long)]
        demo: bool,
    },
    /// Bring the database up to date, and stop
    Migrate {
        #[command(flatten)]
        settings: Settings,
        /// A TOML file with the same settings
        #[arg(long, value_name = "FILE", env = "STROWGER_CONFIG")]
        config: Option<PathBuf>,
    },
    /// The platform's operators
    #[command(subcommand)]
    Operator(Operator),
    /// A test phone: calls, waits for calls, presses keys, speaks and listens
    Phone(Box<strowger::phone::Arguments>),
}

#[derive(Subcommand)]
enum Operator {
    /// Make a user of the root account, and the root account with the first one
    Create {
        #[command(flatten)]
        settings: Settings,
        /// A TOML file with the same settings
        #[arg(long, value_name = "FILE", env = "STROWGER_CONFIG")]
        config: Option<PathBuf>,
        /// E-mail address to sign in with
        #[arg(long)]
        email: String,
        /// Password; asked for on standard input when absent
        #[arg(long, env = "STROWGER_PASSWORD")]
        password: Option<String>,
        /// Name of the root account, when it is made [default: Operator]
        #[arg(long)]
        account: Option<String>,
    },
}

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (mut settings, file) = match &arguments.command {
        Command::Serve {
            settings, config, ..
        }
        | Command::Migrate { settings, config }
        | Command::Operator(Operator::Create {
            settings, config, ..
        }) => (settings.clone(), config.as_deref()),
        Command::Phone(_) => (Settings::default(), None),
    };
    let mut innermost = &matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    settings.name_sources(innermost);
    let config = match Config::load(settings, file) {
        Ok(config) => config,
        Err(faults) => return fail(&faults),
    };
    telemetry::start_logging(config.log_format, &config.log);
    let done = match arguments.command {
        Command::Serve { demo, .. } => commands::serve(config, demo),
        Command::Migrate { .. } => commands::migrate(&config),
        Command::Operator(Operator::Create {
            email,
            password,
            account,
            ..
        }) => commands::create_operator(&config, &email, password, account.as_deref()),
        Command::Phone(arguments) => strowger::phone::run(*arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&commands::reasons(&error)),
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a command")]
fn fail(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("strowger: {why}");
    ExitCode::FAILURE
}
