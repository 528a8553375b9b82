using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>Says all that is wrong, not only the first.</summary>
internal static class Expect
{
    public static void None(string what, IEnumerable<string> found)
    {
        var all = found.Distinct().ToArray();
        if (all.Length > 0)
        {
            Assert.Fail($"{all.Length} {what}:\n  {string.Join("\n  ", all)}");
        }
    }
}
