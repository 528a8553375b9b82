using System.Globalization;

namespace LlmProxy.Core.Configuration;

/// <summary>US dollars, as a JSON number. Decimal all the way: a price of 0.1 is that and not the nearest binary fraction.</summary>
internal sealed class MoneyShape : NumberShape<decimal>
{
    public static MoneyShape Instance { get; } = new();

    public override string Expected => "a number of US dollars";

    protected override NumberStyles Styles => NumberStyles.Float;
}
