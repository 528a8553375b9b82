using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>The runtime's reader is the judge of what is JSON and of where its values stand.</summary>
internal sealed class JsonWalkTests
{
    private static readonly string[] _pieces =
    [
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\":", "\"\":", "{\"c\":", " ", "\n", "\t", "\r", "true", "false", "null", "nul", "tru", "-", "0", "1", "-0", "01", "1.", "1.5",
        ".5", "1e9", "1E+", "2e-07", "12345678901234567890", "\"", "\\", "\"\\n\"", "\"\\u00e9\"", "\"\\u00e\"", "\"\\x\"", "\"é🦓\"", "\"a longer text than sixteen bytes\"",
        "\"a text of thirty-two bytes with \\\" in it\"", LongText, "\u0001", "\"\u001f\"", "\u007f", "/", "'", "\0", "\uFEFF",
    ];

    // Longer than any vector, more than once.
    private static string LongText => $"\"{new string('-', 200)}\\t{new string('=', 150)}\"";

    private static readonly Gen<string> _value = Gen.Recursive<string>((depth, value) => depth > 3 ? Scalar : Gen.OneOf(
        Scalar,
        value.Array[0, 4].Select(items => $"[{string.Join(" , ", items)}]"),
        Gen.Select(Gen.Const("\"k\""), value).Array[0, 4].Select(members => $"{{ {string.Join(",", members.Select(m => $"{m.Item1}\n: {m.Item2}"))}}}")));

    private static Gen<string> Scalar => Gen.OneOf(
        "1", "-0.5e+10", "true", "false", "null", "\"\"", "\"text\"", "\"\\\\\\\"\\u1F98 é\"", "\"a longer text than sixteen bytes, with a \\t near its end\"", LongText);

    [Test]
    public void Whatever_it_takes_the_reader_takes_and_finds_the_same_members_in() =>
        Gen.Select(Gen.OneOf(_pieces).Array[0, 12].Select(parts => Encoding.UTF8.GetBytes("{\"a\":" + string.Concat(parts) + "}")), Cuts)
            .Sample((json, cuts) => Walk(json, cuts) is not { } walked || Read(json)?.SequenceEqual(walked) == true, iter: 50_000, print: Print);

    [Test]
    public void Whatever_plain_object_is_cut_or_has_a_byte_changed_is_taken_by_both_or_by_none() =>
        Gen.Select(Gen.Select(_value, _value, Gen.Int[0, 200], Gen.Byte, Gen.Bool).Select((a, b, at, with, cuts) => Changed($"{{\"one\":{a},\"two\" : {b} }} ", at, with, cuts)), Cuts)
            .Sample(
                (json, cuts) => (Walk(json, cuts), Read(json)) switch
                {
                    (null, null) => true,
                    ({ } walked, { } read) => walked.SequenceEqual(read),
                    // A name with an escape it leaves to the reader.
                    (null, { } read) => read.Exists(m => Convert.FromHexString(m.Name).Contains((byte)'\\')),
                    _ => false,
                },
                iter: 30_000,
                print: Print);

    [Test]
    public void However_an_object_is_cut_its_members_are_the_same() =>
        Gen.Select(_value, _value).Select((a, b) => Encoding.UTF8.GetBytes($" {{\"one\":{a},\"two\" : {b} ,\"\":0}} "))
            .Sample(
                json =>
                {
                    var whole = Read(json)!;
                    return Enumerable.Range(0, json.Length + 1).All(cut => Walk(Over(Segments.Of(json, cut)))?.SequenceEqual(whole) == true)
                        && Walk(Over(Segments.Single(json)))?.SequenceEqual(whole) == true;
                },
                iter: 60,
                print: Encoding.UTF8.GetString);

    [Test]
    public void Names_of_more_than_256_bytes_that_are_cut_it_leaves_to_the_reader()
    {
        foreach (var (length, isTaken) in ((int, bool)[])[(255, true), (256, false)])
        {
            var json = Encoding.UTF8.GetBytes($"{{\"{new string('n', length)}\":1}}");
            Assert.That((Walk(Over(Segments.Of(json, 100))) is not null, Walk(new JsonWalk(json)) is not null), Is.EqualTo((isTaken, true)));
        }
    }

    [Test]
    public void Text_of_any_length_ends_at_its_first_special_byte_wherever_that_is()
    {
        for (var length = 0; length < 420; length++)
        {
            var text = Enumerable.Repeat((byte)0xC3, length).ToArray();
            Assert.That(JsonScalar.EndOfPlain(text, 0), Is.EqualTo(length));
            for (var at = 0; at < length; at++)
            {
                foreach (var special in "\"\\\u001f\0"u8)
                {
                    text[at] = special;
                    var from = at / 3;
                    if (JsonScalar.EndOfPlain(text, from) != at)
                    {
                        Assert.Fail($"{special} at {at} of {length}, from {from}");
                    }
                }

                text[at] = (byte)" !#[]\u007f"[at % 6];
            }
        }
    }

    [TestCase(63, true)]
    [TestCase(64, true)]
    [TestCase(65, false)]
    public void It_leaves_what_is_deeply_nested_to_the_reader(int depth, bool isTaken)
    {
        var json = Encoding.UTF8.GetBytes($"{{\"a\":{new string('[', depth)}{new string(']', depth)}}}");
        Assert.That((Walk(new JsonWalk(json)) is not null, Read(json) is not null), Is.EqualTo((isTaken, true)));
        Assert.That(JsonAnswer.TryRead(json, out _));
    }

    private static byte[] Changed(string json, int at, byte with, bool cuts)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        if (at < bytes.Length)
        {
            bytes[at] = with;
        }

        return cuts ? bytes[..Math.Min(at, bytes.Length)] : bytes;
    }

    // What a server's blocks do to it, and every byte alone.
    private static Gen<int[]> Cuts => Gen.Int[0, 400].Array[0, 6];

    private static List<(string Name, int Start, int End)>? Walk(byte[] json, int[] cuts)
    {
        var whole = Walk(new JsonWalk(json));
        foreach (var pieces in (ReadOnlySequence<byte>[])[Segments.Of(json, cuts.Select(cut => cut % (json.Length + 1)).Order()), Segments.Single(json)])
        {
            var inPieces = Walk(Over(pieces));
            if (!(whole is null ? inPieces is null : inPieces?.SequenceEqual(whole) == true))
            {
                throw new InvalidOperationException("It depends on where it is cut.");
            }
        }

        return whole;
    }

    private static string Print((byte[] Json, int[] Cuts) tried) => $"{Encoding.UTF8.GetString(tried.Json)} cut at {string.Join(", ", tried.Cuts)}";

    private static JsonWalk Over(in ReadOnlySequence<byte> json) => new(json, json.FirstSpan);

    private static List<(string Name, int Start, int End)>? Walk(JsonWalk walk)
    {
        var members = new List<(string, int, int)>();
        if (!walk.TryOpen())
        {
            return null;
        }

        while (walk.TryNext(out _, out var name, out var hasMember))
        {
            if (!hasMember)
            {
                return walk.IsAtEnd() ? members : null;
            }

            var start = (int)walk.Position;
            if (!walk.TrySkip())
            {
                return null;
            }

            members.Add((Convert.ToHexString(name), start, (int)walk.Position));
        }

        return null;
    }

    private static List<(string Name, int Start, int End)>? Read(byte[] json)
    {
        var members = new List<(string, int, int)>();
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 1000 });
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = Convert.ToHexString(reader.ValueSpan);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                members.Add((name, start, (int)reader.BytesConsumed));
            }

            return reader.Read() ? null : members;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
