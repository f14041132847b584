//! Variables: substitution, numbers, secrets.

use crate::support::*;

fn with_vars(text: &str, vars: &[(&str, &str)]) -> Checked {
    run(&[("t.toml", text)], vars, &Models::new())
}

#[test]
fn a_lone_variable_can_be_a_number_where_one_is_wanted() {
    let text = "name = \"${NAME}-x\"\n[config]\nworkers = \"${W:-2}\"\nacking = \"${A}\"\n[spouts.in]\ntype = \"lines\"\nparallelism = \"${P:-4}\"\nconfig = { path = \"${P:-4}\", rows = \"${P:-4}\", cycle = \"${A}\", period = \"${P:-4}\" }\n";
    let (plan, _) = with_vars(text, &[("NAME", "n"), ("A", "true")]).unwrap();
    assert_eq!((plan.name.as_str(), plan.settings.workers, plan.settings.acking), ("n-x", 2, true));
    let c = &plan.components[0];
    assert_eq!(c.parallelism, 4);
    assert_eq!(c.config, serde_json::json!({"path": "4", "rows": 4, "cycle": true, "period": "4"}));
    let shown = "name = \"n-x\"\n[config]\nworkers = 2\nacking = true\n[spouts.in]\ntype = \"lines\"\nparallelism = 4\nconfig = { path = \"4\", rows = 4, cycle = true, period = \"4\" }\n";
    assert_eq!(plan.source, shown);
}

#[test]
fn a_variable_that_is_no_number() {
    let text = with("parallelism = \"${P}\"\nconfig = { auth = \"$$x\" }\n");
    let faults = with_vars(&text, &[("P", "many")]).unwrap_err();
    assert_eq!(
        shorts(&faults),
        ["8:15+6 `parallelism` is \"many\", expected a whole number of at least 1", "9:19+5 `auth` is text, expected a table",]
    );
}

#[test]
fn faults_stand_at_the_variable() {
    let text = with("# ${NOT_LOOKED_AT}\nconfig = { field = \"a ${NOPE} b ${9} ${X\" }\n");
    expect(
        &text,
        &[
            "9:23+7 variable `NOPE` is not set | set it with --set NOPE=… or in the environment, or write ${NOPE:-default}",
            "9:33+4 `9` is no name of a variable | write ${NAME}, ${NAME:-default} or ${secret:NAME}, and `$$` for a dollar sign",
            "9:38+3 `${` without `}` | write `$$` for a dollar sign",
        ],
    );
    // With escapes in the string, the whole of it is meant.
    let text = with("config = { field = \"\\u0041 ${NOPE}\" }\n");
    assert!(shorts(&one(&text).unwrap_err())[0].starts_with("8:20+16 variable"));
}

#[test]
fn secrets_are_used_but_not_shown() {
    let text = with("config = { auth = { user = \"u\", password = \"${secret:PW}\" } }\n");
    let (plan, _) = with_vars(&text, &[("PW", "hunter2")]).unwrap();
    let split = &plan.components[1];
    assert_eq!(split.config["auth"]["password"], "hunter2");
    assert_eq!(split.secrets, ["/auth/password"]);
    assert_eq!(split.shown_config()["auth"]["password"], "***");
    assert!(plan.source.contains("password = \"***\"") && !plan.source.contains("hunter2"), "{}", plan.source);
}

#[test]
fn secrets_are_not_in_what_is_said() {
    let text = with("config = { field = \"${secret:F:-top\\\"5ecret}\", auth = \"${secret:A:-hunter2}\" }\n");
    let faults = with_vars(&text, &[("F", "top\"5ecret")]).unwrap_err();
    let said: String = faults.iter().map(|d| d.render(false) + &serde_json::to_string(d).unwrap()).collect();
    assert!(!said.contains("5ecret") && !said.contains("hunter2"), "{said}");
    assert!(said.contains("${secret:A:-*******}"), "{said}");
    let text = with("config = { field = \"${secret:F}\" }\n");
    let faults = with_vars(&text, &[("F", "5ecret")]).unwrap_err();
    assert_eq!(shorts(&faults), ["8:20+13 `in` emits no field `***` on `default` (line: str, n: int)"]);
}

#[test]
fn a_secrets_default_is_not_in_the_source() {
    let text = with("# plain: hunter2 stays\nconfig = { auth = { user = \"${secret:U:-hunter2} x\", password = 'p' } }\n");
    let (plan, _) = one(&text).unwrap();
    assert!(plan.source.contains("user = \"*** x\", password = 'p'"), "{}", plan.source);
    assert_eq!(plan.source.matches("hunter2").count(), 1);
}
