using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>The rules are only as good as what reads the sources for them.</summary>
[TestFixture]
internal sealed class CodeOnlyTests
{
    [TestCase("a // class B {\nc", "a\nc")]
    [TestCase("a /* { */ b", "ab")]
    [TestCase("""f("{") + 1""", "f()+1")]
    [TestCase("""f("\"{", '{', '\'') + 1""", "f(,,)+1")]
    [TestCase("""f(@"\", a) { }""", "f(,a){}")]
    [TestCase("""f(@"a""{", a)""", "f(,a)")]
    [TestCase("""f($"{a["}"]}{{", b) }""", "f(,b)}")]
    [TestCase("f(\"\"\"a \"{\" b\"\"\", c)", "f(,c)")]
    [TestCase("f($$\"\"\"{ {{a}} \"\"\", c)", "f(,c)")]
    public void Comments_and_literals_are_blanked_and_code_stays_where_it_is(string text, string code)
    {
        var actual = CodeOnly.Of(text);
        Assert.That(actual, Has.Length.EqualTo(text.Length));
        Assert.That(string.Concat(actual.Where(c => c is not (' ' or '"'))), Is.EqualTo(code));
    }

    [Test]
    public void Members_with_parameters_are_found_with_their_length()
    {
        var file = new SourceFile("LlmProxy.Core/X/A.cs", """
            namespace LlmProxy.Core.X;

            internal sealed class A(int seed) : B(seed)
            {
                private static readonly int[] Table =
                [
                    Row(1), Row(2),
                ];

                private int _count = 3;

                [Test("{")]
                public A(string text)
                    : this(text.Length)
                {
                    if (text is { Length: > 3 })
                    {
                        throw new X();
                    }
                }

                public int Count { get; } = 3;

                public int Sum(int other) =>
                    other switch
                    {
                        1 => seed,
                        _ => 0,
                    };

                private record struct Pair(int Left, int Right)
                {
                    public int Total() => Left + Right;
                }
            }
            """);
        Assert.That(
            Members.Of(file).Select(member => (member.FirstLine, member.LineCount)),
            Is.EqualTo(new[] { (12, 9), (24, 6), (33, 1) }));
        Assert.That(file.TypeNames, Is.EqualTo(new[] { "A", "Pair" }));
    }
}
