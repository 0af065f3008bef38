# mypy: ignore-errors
"""Vectors of 16 fp32 numbers in Numba, and its compiler for functions that use them: what Triton is to a GPU.
Knows LLVM's instructions. Knows nothing of what is computed."""

import functools
import hashlib
import operator
from pathlib import Path

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

LANES = 16
"""What AVX-512 holds; LLVM makes two or four registers of it on other CPUs."""
BYTES = 4
"""Of a number. Addresses are counted in bytes."""

_FAST = ("reassoc", "contract", "nsz", "arcp")
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_VECTOR, _INTS, _BITS = (ir.VectorType(of, LANES) for of in (_FLOAT, _INT, ir.IntType(1)))
_ANY = ir.Constant(_VECTOR, ir.Undefined)


class _Vector(types.Type):
    def __init__(self):
        super().__init__(name="Vector")


_vector = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, of):
        super().__init__(manager, of, _VECTOR)


def _kept_in():
    """Where compiled kernels are kept; those of other versions of these files, elsewhere: Numba looks at one file."""
    here = Path(__file__).parent
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(here.glob("*.py"))))
    return str(here / "__pycache__" / digest.hexdigest()[:16])


numba.config.CACHE_DIR = numba.config.CACHE_DIR or _kept_in()


def kernel(function):
    """Compiled at its first call, and kept on disk where something can be written.

    Whole numbers are 64 bits wide, addresses among them. Nothing is checked. Python's lock is free meanwhile.
    """
    how = {"fastmath": set(_FAST), "error_model": "numpy", "nogil": True}
    try:
        return numba.njit(cache=True, **how)(function)
    except RuntimeError:  # nowhere to write
        return numba.njit(**how)(function)


inlined = functools.partial(numba.njit, inline="always")
"""Becomes part of every kernel that calls it."""


@intrinsic
def zeros(typing):
    """A vector of them."""
    return _vector(), lambda context, builder, signature, values: ir.Constant(_VECTOR, [0.0] * LANES)


@intrinsic
def splat(typing, number):
    """A vector of the same number."""
    return _vector(types.float32), lambda context, builder, signature, values: _splat(builder, values[0])


@intrinsic
def load(typing, address):
    """The 16 numbers there."""

    def code(context, builder, signature, values):
        return builder.load(_pointer(builder, values[0], _VECTOR), align=BYTES)

    return _vector(types.int64), code


@intrinsic
def load_some(typing, address, left):
    """The first `left` numbers there, fewer than 16, and zeros; only they are read."""

    def code(context, builder, signature, values):
        address, left = values
        operands = (_pointer(builder, address, _VECTOR), _INT(BYTES), _below(builder, left), _VECTOR(None))
        return _call(builder, "llvm.masked.load.v16f32.p0", _VECTOR, *operands)

    return _vector(types.int64, types.int64), code


@intrinsic
def store(typing, address, vector):
    """Write all 16."""

    def code(context, builder, signature, values):
        builder.store(values[1], _pointer(builder, values[0], _VECTOR), align=BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, _vector), code


@intrinsic
def store_some(typing, address, vector, left):
    """Write the first `left` numbers."""

    def code(context, builder, signature, values):
        address, vector, left = values
        operands = (vector, _pointer(builder, address, _VECTOR), _INT(BYTES), _below(builder, left))
        _call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), *operands)
        return context.get_dummy_value()

    return types.void(types.int64, _vector, types.int64), code


@intrinsic
def prefetch(typing, address):
    """Have the 64 bytes there brought near; they need not be anybody's."""

    def code(context, builder, signature, values):
        operands = (_pointer(builder, values[0], _FLOAT), _INT(0), _INT(3), _INT(1))  # to read, near, data
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), *operands)
        return context.get_dummy_value()

    return types.void(types.int64), code


@intrinsic
def load_one(typing, address):
    """The number there."""

    def code(context, builder, signature, values):
        return builder.load(_pointer(builder, values[0], _FLOAT))

    return types.float32(types.int64), code


@intrinsic
def store_one(typing, address, number):
    def code(context, builder, signature, values):
        builder.store(values[1], _pointer(builder, values[0], _FLOAT))
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), code


@intrinsic
def total(typing, vector):
    """The sum of its numbers."""

    def code(context, builder, signature, values):
        return _call(builder, "llvm.vector.reduce.fadd.v16f32", _FLOAT, _FLOAT(0.0), values[0], fastmath=_FAST)

    return types.float32(_vector), code


@intrinsic
def highest(typing, vector):
    """The largest of its numbers."""

    def code(context, builder, signature, values):
        return _call(builder, "llvm.vector.reduce.fmax.v16f32", _FLOAT, values[0], fastmath=("nnan",))

    return types.float32(_vector), code


@intrinsic
def exp(typing, vector):
    """e to each number; below -87 it is e to -87, above 88 e to 88. Relative error below 2e-7."""

    def code(context, builder, signature, values):
        def each(number):
            return ir.Constant(_VECTOR, [number] * LANES)

        def fma(a, b, c):
            return _call(builder, "llvm.fma.v16f32", _VECTOR, a, b, c)

        x = _call(builder, "llvm.maxnum.v16f32", _VECTOR, values[0], each(-87.0))
        x = _call(builder, "llvm.minnum.v16f32", _VECTOR, x, each(88.0))
        # x = n ln 2 + rest; ln 2 in two parts, or the difference would have too few bits
        n = _call(builder, "llvm.floor.v16f32", _VECTOR, fma(x, each(1.4426950408889634), each(0.5)))
        rest = fma(n, each(2.12194440e-4), fma(n, each(-0.693359375), x))
        found = each(_EXP[0])
        for coefficient in _EXP[1:]:
            found = fma(found, rest, each(coefficient))
        whole = builder.add(builder.fptosi(n, _INTS), _INTS([127] * LANES))
        power = builder.bitcast(builder.shl(whole, _INTS([23] * LANES)), _VECTOR)
        return builder.fmul(found, power)

    return _vector(_vector), code


_EXP = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)
"""Taylor's, the highest power first: for |x| < ln 2 / 2 what is left out is below 6e-9."""


def _operator(symbol, name):
    @intrinsic
    def of_two(typing, left, right):
        def code(context, builder, signature, values):
            return getattr(builder, name)(*values, flags=_FAST)

        return _vector(_vector, _vector), code

    @overload(symbol, inline="always")
    def of_vectors(left, right):
        if left is _vector and right is _vector:
            return lambda left, right: of_two(left, right)
        return None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _name)


def _call(builder, name, answer, *operands, fastmath=()):
    of = ir.FunctionType(answer, [operand.type for operand in operands])
    return builder.call(cgutils.get_or_insert_function(builder.module, of, name), operands, fastmath=fastmath)


def _pointer(builder, address, of):
    return builder.inttoptr(address, ir.PointerType(of))


def _splat(builder, number):
    one = builder.insert_element(ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined), number, _INT(0))
    return builder.shuffle_vector(one, ir.Constant(one.type, ir.Undefined), _INTS([0] * LANES))


def _below(builder, left):
    """A mask: lanes before the `left`-th."""
    lanes = _INTS(list(range(LANES)))
    return builder.icmp_signed("<", lanes, _splat(builder, builder.trunc(left, _INT)))


@inlined
def take(address, left):
    """The numbers there, up to 16 and no more than `left`; zeros behind them."""
    return load(address) if left >= LANES else load_some(address, left)


@inlined
def put(address, vector, left):
    """Write up to 16 numbers and no more than `left`."""
    if left >= LANES:
        store(address, vector)
    else:
        store_some(address, vector, left)


@inlined
def dot(first, second, count):
    """The sum of products of the `count` numbers at two addresses."""
    sums = zeros()
    whole = count // LANES * LANES
    for i in range(0, whole, LANES):
        sums = sums + load(first + i * BYTES) * load(second + i * BYTES)
    if whole < count:
        rest = whole * BYTES
        sums = sums + load_some(first + rest, count - whole) * load_some(second + rest, count - whole)
    return total(sums)
