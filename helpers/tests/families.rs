//! Bodies stand in the family in which `skep-linux` has the row.

use skep_linux::helpers::FAMILIES;

#[test]
fn bodies_are_where_the_rows_are() {
    let mut bodies = 0;
    for (family, id, name, _) in skep_helpers::helpers() {
        let of_row = FAMILIES.iter().find(|f| f.rows.iter().any(|row| row.id == id)).expect("a row of this id");
        assert_eq!(of_row.name, family, "{name} has its row elsewhere");
        let row = skep_linux::helper(id).expect("a row of this id");
        assert!(row.name == name || row.short_name() == name, "{id}: {name} here, {} in its row", row.name);
        bodies += 1;
    }
    assert!(bodies > 50, "{bodies} bodies");
}

#[test]
fn no_helper_has_two_bodies() {
    let mut ids: Vec<_> = skep_helpers::helpers().map(|(_, id, ..)| id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
