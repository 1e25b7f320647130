//! Names as C can have them: identifiers that are no keywords, each for one thing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::{Btf, Type, TypeId};

/// Words that cannot be names. The last one is a type that compilers define, another one on each machine.
const KEYWORDS: &[&str] = &[
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "asm",
    "typeof",
    "__builtin_va_list",
];

/// Words that C23 made keywords and that headers defined before.
const KEYWORDS_OF_C23: &[&str] =
    &["alignas", "alignof", "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true", "typeof_unqual"];

/// Words that C's integers and floating-point numbers are made of.
const SCALARS: &[&str] =
    &["char", "int", "long", "short", "signed", "unsigned", "float", "double", "_Bool", "__int128", "_Float16", "__float128"];

/// Whether C has a number type of this name by itself.
pub(super) fn is_builtin(name: &str) -> bool {
    !name.is_empty() && name.split(' ').all(|word| SCALARS.contains(&word))
}

/// Whether a definition of this name must be kept from compilers of C23 and later.
pub(super) fn is_keyword_of_c23(name: &str) -> bool {
    KEYWORDS_OF_C23.contains(&name)
}

/// The name as an identifier: bytes that cannot be in one become `_`.
pub(super) fn identifier(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.starts_with(|c: char| fits(c) && !c.is_ascii_digit());
    if (starts_well || name.is_empty()) && name.chars().all(fits) && !KEYWORDS.contains(&name) {
        return Cow::Borrowed(name);
    }
    let mut changed: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if !starts_well {
        changed.insert(0, '_');
    }
    if KEYWORDS.contains(&changed.as_str()) {
        changed.push('_');
    }
    Cow::Owned(changed)
}

/// The names of one of C's name spaces at file scope.
#[derive(Debug, Default)]
struct Space {
    taken: HashSet<String>,
    /// The number that the next thing of a name may have.
    next: HashMap<String, u32>,
}

impl Space {
    /// `name`, or `name___2`, `name___3`, ... if it is taken.
    fn take(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let number = self.next.entry(name.to_owned()).or_insert(2);
        loop {
            let other = format!("{name}___{number}");
            *number += 1;
            if self.taken.insert(other.clone()) {
                return other;
            }
        }
    }
}

/// The names of all types of a BTF in one file.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Tags and typedefs that are not called as BTF calls them.
    renamed: HashMap<TypeId, String>,
    ordinary: Space,
    tags: Space,
}

impl Names {
    /// Gives every struct, union, enum and typedef a name that is its own: later ones of a name get a number. A forward declaration is
    /// of the first struct of its name.
    pub(super) fn all(btf: &Btf) -> Names {
        let mut names = Names::default();
        // What a tag was first used for: a struct, a union or an enum.
        let mut first: HashMap<&str, (u8, TypeId)> = HashMap::new();
        let mut forwards = Vec::new();
        for id in btf.ids() {
            let Some(ty) = btf.get(id) else { continue };
            let (name, sort) = match ty {
                Type::Struct(c) => (c.name(), 0),
                Type::Union(c) => (c.name(), 1),
                Type::Enum(e) => (e.name(), 2),
                Type::Fwd(fwd) => {
                    forwards.push((id, fwd));
                    continue;
                }
                Type::Typedef(tag) => {
                    names.take(id, tag.name, false);
                    continue;
                }
                Type::Int(int) if !is_builtin(int.name) => {
                    names.take(id, int.name, false);
                    continue;
                }
                Type::Float(float) if !is_builtin(float.name) => {
                    names.take(id, float.name, false);
                    continue;
                }
                _ => continue,
            };
            if !name.is_empty() {
                names.take(id, name, true);
                first.entry(name).or_insert((sort, id));
            }
        }
        for (id, fwd) in forwards {
            let sort = u8::from(fwd.union);
            match first.get(fwd.name) {
                Some((same, of)) if *same == sort => {
                    if let Some(name) = names.renamed.get(of).cloned() {
                        names.renamed.insert(id, name);
                    }
                }
                _ => {
                    names.take(id, fwd.name, true);
                    first.insert(fwd.name, (sort, id));
                }
            }
        }
        names
    }

    fn take(&mut self, id: TypeId, name: &str, tag: bool) {
        let wanted = identifier(name);
        let given = if tag { &mut self.tags } else { &mut self.ordinary }.take(&wanted);
        if given != name {
            self.renamed.insert(id, given);
        }
    }

    /// The name of a type that has one.
    pub(super) fn of<'a>(&'a self, btf: &'a Btf, id: TypeId) -> Cow<'a, str> {
        match self.renamed.get(&id) {
            Some(name) => Cow::Borrowed(name),
            None => identifier(btf.name(id)),
        }
    }

    /// The name that the constant of an enum gets.
    pub(super) fn constant(&mut self, name: &str) -> String {
        self.ordinary.take(&identifier(name))
    }
}

#[cfg(test)]
mod tests {
    use super::{identifier, is_builtin};

    #[test]
    fn names_become_identifiers() {
        for (name, c) in [
            ("task_struct", "task_struct"),
            ("Option<u32>", "Option_u32_"),
            ("0", "_0"),
            ("int", "int_"),
            ("", ""),
            ("größe", "gr__e"),
            ("a b", "a_b"),
        ] {
            assert_eq!(identifier(name), c);
        }
        assert!(is_builtin("long unsigned int") && is_builtin("_Bool") && is_builtin("unsigned __int128"));
        assert!(!is_builtin("u32") && !is_builtin("") && !is_builtin("bool") && !is_builtin("unsigned  int"));
    }
}
