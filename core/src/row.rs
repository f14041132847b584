//! What can be emitted: Rust tuples, arrays and slices of values.

use crate::{Tuple, Value, ValueRef};

/// A row of values to emit. Implemented for Rust tuples of anything that is a value, for arrays and slices of
/// [`ValueRef`], for vectors of [`Value`], and for a [`Tuple`] that is passed on.
///
/// ```
/// use squall_core::{Row, ValueRef};
/// ("word", 3i64).with(|row| assert_eq!(row, [ValueRef::Str("word"), ValueRef::Int(3)]));
/// ```
pub trait Row {
    /// Calls `f` with the values in order.
    ///
    /// ```
    /// use squall_core::Row;
    /// assert_eq!((1i64, 2i64).with(|row| row.len()), 2);
    /// ```
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R;
}

macro_rules! tuple_rows {
    ($(($($t:ident $i:tt),*))*) => {$(
        impl<$($t),*> Row for ($($t,)*) where $(for<'a> &'a $t: IntoValue<'a>),* {
            #[inline]
            fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
                f(&[$(self.$i.into_value()),*])
            }
        }
    )*};
}

/// A reference that is a value; what makes Rust tuples [`Row`]s.
///
/// ```
/// use squall_core::{IntoValue, ValueRef};
/// assert_eq!((&String::from("a")).into_value(), ValueRef::Str("a"));
/// ```
pub trait IntoValue<'a> {
    /// The value.
    ///
    /// ```
    /// use squall_core::{IntoValue, ValueRef};
    /// assert_eq!((&1.5f64).into_value(), ValueRef::Float(1.5));
    /// ```
    fn into_value(self) -> ValueRef<'a>;
}

macro_rules! copied {
    ($($t:ty),*) => {$(
        impl<'a> IntoValue<'a> for &'a $t { #[inline] fn into_value(self) -> ValueRef<'a> { (*self).into() } }
    )*};
}
copied!(bool, i8, i16, i32, i64, u8, u16, u32, u64, usize, f32, f64);

macro_rules! borrowed {
    ($($t:ty),*) => {$(
        impl<'a> IntoValue<'a> for &'a $t { #[inline] fn into_value(self) -> ValueRef<'a> { self.into() } }
        impl<'a> IntoValue<'a> for &'a &$t { #[inline] fn into_value(self) -> ValueRef<'a> { (*self).into() } }
    )*};
}
borrowed!(str, String, [u8], Vec<u8>, [f32], Vec<f32>, [f64], Vec<f64>, [Value], Value);

impl<'a> IntoValue<'a> for &'a ValueRef<'_> {
    #[inline]
    fn into_value(self) -> ValueRef<'a> {
        *self
    }
}
impl<'a, T> IntoValue<'a> for &'a Option<T>
where
    &'a T: IntoValue<'a>,
{
    #[inline]
    fn into_value(self) -> ValueRef<'a> {
        self.as_ref().map_or(ValueRef::Nil, IntoValue::into_value)
    }
}

tuple_rows! {
    (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) (A 0, B 1, C 2, D 3, E 4) (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6) (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8) (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
}

impl Row for () {
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        f(&[])
    }
}
impl<const N: usize> Row for [ValueRef<'_>; N] {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        f(self)
    }
}
impl Row for &[ValueRef<'_>] {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        f(self)
    }
}
impl Row for Vec<ValueRef<'_>> {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        f(self)
    }
}
/// Rows of so many values take no memory from the heap on their way.
const FEW: usize = 8;

#[inline]
fn few<'v, I, R>(values: impl Fn() -> I, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R
where
    I: Iterator<Item = ValueRef<'v>>,
{
    let mut few = [ValueRef::Nil; FEW];
    let mut width = 0;
    for value in values() {
        let Some(place) = few.get_mut(width) else { return f(&values().collect::<Vec<_>>()) };
        *place = value;
        width += 1;
    }
    f(&few[..width])
}

impl Row for &Tuple<'_> {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        few(|| self.values(), f)
    }
}
impl Row for Vec<Value> {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        (&self[..]).with(f)
    }
}
impl Row for &[Value] {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        few(|| self.iter().map(Value::as_ref), f)
    }
}
