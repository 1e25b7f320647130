//! What the instructions of a program name, as the object says it.

use skep_btf::core_relo::describe;
use skep_btf::{CoreRelo, CoreReloKind};

use crate::functions::{Function, Link};
use crate::object::{Object, ProgramRef};

/// An instruction that stands for something outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation<'a> {
    /// The function that holds the instruction.
    pub function: &'a str,
    /// Slots from the start of the function.
    pub slot: usize,
    /// What it stands for.
    pub names: Named<'a>,
}

/// What an instruction may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<'a> {
    /// A map.
    Map(&'a str),
    /// A place in the value of a map of variables.
    Variable {
        /// The section, such as `.bss`.
        section: &'a str,
        /// Bytes into it.
        offset: u32,
    },
    /// An `extern`.
    Extern(&'a str),
    /// A call of a function.
    Call(&'a str),
    /// The address of a function.
    Function(&'a str),
    /// Something about types of the kernel it will run in.
    Core {
        /// What is asked.
        kind: CoreReloKind,
        /// The same in words, such as `<byte_off> [7] struct task_struct.tgid (0:2 @ offset 16)`.
        text: String,
    },
    /// A call to where no function begins.
    Nowhere,
}

impl Object {
    fn link<'a>(&'a self, link: Link) -> Named<'a> {
        let data = &self.data;
        let map = |index: usize| -> &'a str { &data.maps.all[index].def.name };
        match link {
            Link::Map(index) => Named::Map(map(index)),
            Link::Data { map: index, offset } => {
                let section = data.maps.all[index].def.section.as_deref();
                Named::Variable { section: section.unwrap_or(map(index)), offset }
            }
            Link::Extern(number) => Named::Extern(&data.externs[number].name),
            Link::Call(index) => Named::Call(&data.functions[index].name),
            Link::Func(index) => Named::Function(&data.functions[index].name),
            Link::NoFunction(_) => Named::Nowhere,
        }
    }

    fn core(&self, relo: &CoreRelo) -> Named<'static> {
        let text = self.data.btf.as_deref().map_or_else(String::new, |btf| describe(btf, relo));
        Named::Core { kind: relo.kind, text }
    }

    fn relocations_of<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = Relocation<'a>> {
        let named = |slot, names| Relocation { function: &function.name, slot, names };
        let links = function.links.iter().map(move |(slot, link)| named(*slot, self.link(*link)));
        links.chain(function.core.iter().map(move |(slot, relo)| named(*slot, self.core(relo))))
    }
}

impl<'a> ProgramRef<'a> {
    /// The functions that the program is made of: its entry function, and all that it calls or takes the address of.
    fn reached(&self) -> Vec<&'a Function> {
        let functions = &self.object().data.functions;
        let mut order = vec![self.entry_index()];
        let mut next = 0;
        while let Some(index) = order.get(next).copied() {
            next += 1;
            for (_, link) in &functions[index].links {
                if let Link::Call(to) | Link::Func(to) = *link
                    && !order.contains(&to)
                {
                    order.push(to);
                }
            }
        }
        order.into_iter().map(|index| &functions[index]).collect()
    }

    /// What the instructions of the program, and of the subprograms that it reaches, name.
    pub fn relocations(&self) -> Vec<Relocation<'a>> {
        self.reached().into_iter().flat_map(|function| self.object().relocations_of(function)).collect()
    }
}
