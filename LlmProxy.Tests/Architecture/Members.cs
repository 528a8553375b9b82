using System.Text.RegularExpressions;

namespace LlmProxy.Tests.Architecture;

/// <summary>One member with parameters: a method, constructor, operator or local function's outermost method.</summary>
/// <param name="Name">Its first line, for a message.</param>
/// <param name="FirstLine">The line it begins in, attributes included, documentation not.</param>
/// <param name="LineCount">From there to its closing brace or semicolon.</param>
internal readonly record struct Member(string Name, int FirstLine, int LineCount);

/// <summary>
/// Finds members by their braces: good enough to measure their length. Fields are passed over, however long the table
/// that they hold.
/// </summary>
internal static partial class Members
{
    public static IEnumerable<Member> Of(SourceFile file)
    {
        var insideType = new Stack<bool>();
        var found = new List<Member>();
        var code = file.Code;
        var start = 0;
        for (var i = 0; i < code.Length; i++)
        {
            switch (code[i])
            {
                case '{' when !InType(insideType) || TypeHeader().IsMatch(code[start..i]):
                    insideType.Push(TypeHeader().IsMatch(code[start..i]));
                    start = i + 1;
                    break;
                case '{':
                    i = Close(code, i);
                    if (!Continues(code, i))
                    {
                        Add(start, i);
                        start = i + 1;
                    }

                    break;
                case '(' or '[':
                    i = Close(code, i);
                    break;
                case '}':
                    insideType.TryPop(out _);
                    start = i + 1;
                    break;
                case ';':
                    Add(start, i);
                    start = i + 1;
                    break;
            }
        }

        return found;

        void Add(int from, int to)
        {
            from += code.AsSpan(from, to - from).Length - code.AsSpan(from, to - from).TrimStart().Length;
            if (InType(insideType) && HasParameters(code.AsSpan(from, to - from)))
            {
                var first = file.LineOf(from);
                found.Add(new Member(code[from..to].Split('\n')[0].Trim(), first, file.LineOf(to) - first + 1));
            }
        }
    }

    private static bool InType(Stack<bool> insideType) => insideType.TryPeek(out var inside) && inside;

    /// <summary>The position of the bracket that closes the one at <paramref name="open"/>.</summary>
    private static int Close(string code, int open)
    {
        var depth = 0;
        for (var i = open; i < code.Length; i++)
        {
            depth += code[i] switch { '{' or '(' or '[' => 1, '}' or ')' or ']' => -1, _ => 0 };
            if (depth == 0)
            {
                return i;
            }
        }

        return code.Length - 1;
    }

    /// <summary>True if the text after a closing brace still belongs to the same member: an initialiser or an expression goes on.</summary>
    private static bool Continues(string code, int brace)
    {
        var next = code.AsSpan(brace + 1).TrimStart();
        return next.Length > 0 && next[0] is '=' or ';' or '.' or ',' or ')' or '?' or '+' or '!';
    }

    private static bool HasParameters(ReadOnlySpan<char> member)
    {
        while (member.Length > 0 && member[0] == '[')
        {
            var attributes = member.ToString();
            member = member[(Close(attributes, 0) + 1)..].TrimStart();
        }

        var first = member.IndexOfAny("=({;");
        return first >= 0 && member[first] == '(';
    }

    [GeneratedRegex(@"(^|[\s\]])(class|struct|interface|enum|record|namespace)\s+[\w.]+[^=;]*$")]
    private static partial Regex TypeHeader();
}
