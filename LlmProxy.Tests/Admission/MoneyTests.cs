using CsCheck;
using LlmProxy.Core.Admission;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

internal sealed class MoneyTests
{
    [TestCase("0", 0)]
    [TestCase("0.000000001", 1)]
    [TestCase("0.0000000010", 1)]
    [TestCase("0.0000000000000000000000000001", 1)]
    [TestCase("0.00000000100000000000000001", 2)]
    [TestCase("0.0042", 4_200_000)]
    [TestCase("1.10", 1_100_000_000)]
    [TestCase("20", 20_000_000_000)]
    [TestCase("-0.0000000015", -2)]
    [TestCase("79228162514264337593543950335", Money.Most)]
    [TestCase("-79228162514264337593543950335", -Money.Most)]
    public void Dollars_are_whole_billionths_and_never_less_than_what_they_are(string dollars, long money) =>
        Assert.That(Money.FromDollars(decimal.Parse(dollars, System.Globalization.CultureInfo.InvariantCulture)), Is.EqualTo(money));

    [Test]
    public void All_dollars_are_what_decimals_make_of_them() => Gen.Select(Gen.Int, Gen.Int, Gen.OneOf(Gen.Const(0), Gen.Int), Gen.Int[0, 28]).Sample(
        (low, middle, high, digits) =>
        {
            var dollars = new decimal(low, middle, high, isNegative: false, (byte)digits);
            return Money.FromDollars(dollars) == (dollars >= Money.Most / 1_000_000_000m ? Money.Most : (long)decimal.Ceiling(dollars * 1_000_000_000m));
        },
        iter: 100_000);
}
