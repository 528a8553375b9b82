using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>What configuration changes is changed, and every other byte goes upstream as it came.</summary>
internal sealed class RequestSpliceTests
{
    private static readonly string[] _editable = ["temperature", "top_p", "user", "seed", "metadata"];
    private static readonly string[] _others = ["messages", "tools", "x", "größe", "stream"];
    private static readonly FieldNames _names = new(_editable);

    private static readonly Gen<string> _space = Gen.OneOf("", "", "", " ", "\n\t", "\r\n  ");
    private static readonly Gen<string> _value = Gen.OneOf("1", "-0.50", "null", "\"t\"", "\"\\\"},{\\\\\"", "[ ]", "[1,{\"user\":2}]", "{\"model\":\"x\",\"a\":[]}", "\"é🦓\"", "1e999");
    private static readonly Gen<(string Name, string Text)> _member =
        Gen.Select(Gen.Int[0, 9], _value, _space, _space, _space).Select((i, value, a, b, c) =>
        {
            var name = i < 5 ? _editable[i] : _others[i - 5];
            return (name, $"{a}\"{name}\"{b}:{c}{(name == "stream" ? "true" : value)}{a}");
        });

    private static readonly Gen<string> _body = Gen.Select(_member.Array[0, 7], Gen.Int[0, 7], _space, Gen.Bool).Select((members, at, space, escaped) =>
    {
        var texts = members.DistinctBy(m => m.Name).Select(m => m.Text).ToList();
        texts.Insert(Math.Min(at, texts.Count), $"{space}\"{(escaped ? "mod\\u0065l" : "model")}\"{space}:{space}\"asked\"{space}");
        return $"{space}{{{string.Join(',', texts)}}}{space}";
    });

    private static readonly Gen<(string Body, RequestEdits Edits, int[] Cuts)> _cases = Gen.Select(_body, Gen.Int[0, 3].Array[5], Gen.Int[0, 1000].Array[0, 3])
        .Select((body, kinds, cuts) =>
        {
            var length = Encoding.UTF8.GetByteCount(body);
            return (body, EditsOf(kinds), (int[])[.. cuts.Select(c => c % (length + 1)).Order()]);
        });

    [Test]
    public void Any_edits_of_any_object_give_what_editing_its_tree_gives() => _cases.Sample(
        (body, edits, cuts) =>
        {
            var bytes = Encoding.UTF8.GetBytes(body);
            var sequence = Segments.Of(bytes, cuts);
            var fields = RequestFields.Read(sequence, _names).Value!;
            var parts = RequestSplice.TryPlan(fields, bytes.Length, "\"sent\""u8.ToArray(), edits, out _)!;
            return JsonNode.DeepEquals(JsonNode.Parse(Joined(parts, sequence)), Edited(body, edits)) && KeepsTheRest(parts, fields, bytes, edits);
        },
        iter: 20_000,
        print: c => $"{c.Item1}  set {Names(c.Item2.Set)} default {Names(c.Item2.Default)} remove {string.Join(',', c.Item2.Remove.Select(i => _names[i]))}");

    [TestCase("{}", """{"model":"sent"}""")]
    [TestCase(""" { "a" : 1 } """, """ {"model":"sent", "a" : 1 } """)]
    [TestCase("""{"user":1}""", """{"model":"sent"}""")]
    [TestCase("""{"a":1,"user":1}""", """{"model":"sent","a":1}""")]
    [TestCase("""{"a":1,"model":null,"b":2}""", """{"a":1,"model":"sent","b":2}""")]
    [TestCase("""{"a":1,"model":"another"}""", """{"a":1,"model":"sent"}""")]
    [TestCase("""{"mod\u0065l":"another","a":1}""", """{"model":"sent","a":1}""")]
    public void A_model_that_was_named_elsewhere_is_put_in_or_put_in_the_place_of_the_bodys_own(string body, string expected)
    {
        var bytes = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body));
        var fields = RequestFields.Read(bytes, _names, "elsewhere").Value!;
        var edits = new RequestEdits([], [], [_names.IndexOf("user")]);
        var parts = RequestSplice.TryPlan(fields, bytes.Length, "\"sent\""u8.ToArray(), edits, out _)!;
        Assert.That(fields.Model, Is.EqualTo("elsewhere"));
        Assert.That(Joined(parts, bytes), Is.EqualTo(expected));
    }

    [TestCase("""{"user":1,"model":"m","a":2}""", """{"model":"M","a":2}""", TestName = "Removed(first)")]
    [TestCase("""{"model":"m","user":1,"a":2}""", """{"model":"M","a":2}""", TestName = "Removed(middle)")]
    [TestCase("""{"model":"m","a":2,"user":1}""", """{"model":"M","a":2}""", TestName = "Removed(last)")]
    [TestCase("""{"seed":0,"user":1,"model":"m"}""", """{"model":"M"}""", TestName = "Removed(two first)")]
    [TestCase("""{"model":"m","seed":0,"user":1}""", """{"model":"M"}""", TestName = "Removed(two last)")]
    [TestCase("""{"seed":0,"model":"m","user":1}""", """{"model":"M"}""", TestName = "Removed(first and last)")]
    [TestCase("""{ "seed" : 0 , "user" : 1 , "model" : "m" , "a" : 1 }""", """{ "model" : "M" , "a" : 1 }""", TestName = "Removed(with spaces)")]
    [TestCase("""{ "a" : 1 , "model" : "m" , "user" : 1 }""", """{ "a" : 1 , "model" : "M" }""", TestName = "Removed(last with spaces)")]
    public void Removed(string body, string expected) =>
        Assert.That(Spliced(body, RequestEdits.None with { Remove = [_names.IndexOf("user"), _names.IndexOf("seed")] }), Is.EqualTo(expected));

    [Test]
    public void Nothing_but_the_model_changes_where_nothing_else_is_configured() => Assert.That(
        Spliced("\n{ \"a\": 1.50 , \"model\"\t:\t\"m\",\"b\":\"\\u00e9\" }\r\n", RequestEdits.None),
        Is.EqualTo("\n{ \"a\": 1.50 , \"model\"\t:\t\"M\",\"b\":\"\\u00e9\" }\r\n"));

    [Test]
    public void An_escaped_name_of_the_model_goes_out_plainly() =>
        Assert.That(Spliced("""{"a":1,"mod\u0065l" : "m"}""", RequestEdits.None), Is.EqualTo("""{"a":1,"model":"M"}"""));

    [TestCase("""{"model":"m","seed":1,"seed":2}""", "duplicate_key")]
    [TestCase("""{"model":"m","Seed":1}""", "ambiguous_key")]
    [TestCase("""{"model":"m","\u017feed":1}""", "ambiguous_key")]
    [TestCase("""{"model":"m","seed":1,"s\u0065ed":2}""", "duplicate_key")]
    public void A_field_that_is_changed_must_stand_once_and_under_its_name(string body, string code)
    {
        var seed = _names.IndexOf("seed");
        ParameterEdit edit = new(seed, "\"seed\":"u8.ToArray(), "1"u8.ToArray());
        foreach (var edits in new[] { new RequestEdits([edit], [], []), new RequestEdits([], [edit], []), new RequestEdits([], [], [seed]) })
        {
            var bytes = Encoding.UTF8.GetBytes(body);
            var fields = RequestFields.Read(new ReadOnlySequence<byte>(bytes), _names).Value!;
            Assert.That(RequestSplice.TryPlan(fields, bytes.Length, "\"M\""u8.ToArray(), edits, out var error), Is.Null);
            Assert.That((error!.Code, error.Param), Is.EqualTo((code, "seed")));
            Assert.That(RequestSplice.TryPlan(fields, bytes.Length, "\"M\""u8.ToArray(), RequestEdits.None, out _), Is.Not.Null, "nobody acts on it");
        }
    }

    private static string Spliced(string body, RequestEdits edits)
    {
        var sequence = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body));
        var fields = RequestFields.Read(sequence, _names).Value!;
        return Encoding.UTF8.GetString(Joined(RequestSplice.TryPlan(fields, sequence.Length, "\"M\""u8.ToArray(), edits, out _)!, sequence));
    }

    private static byte[] Joined(BodyPart[] parts, ReadOnlySequence<byte> body) =>
        [.. parts.SelectMany(p => p.Length == 0 ? p.Inserted.ToArray() : body.Slice(p.Start, p.Length).ToArray())];

    private static JsonObject Edited(string body, RequestEdits edits)
    {
        var tree = JsonNode.Parse(body)!.AsObject();
        tree["model"] = "sent";
        foreach (var edit in edits.Set)
        {
            tree[_names[edit.Name]] = JsonNode.Parse(edit.ValueJson);
        }

        foreach (var edit in edits.Default.Where(e => !tree.ContainsKey(_names[e.Name])))
        {
            tree[_names[edit.Name]] = JsonNode.Parse(edit.ValueJson);
        }

        foreach (var name in edits.Remove)
        {
            tree.Remove(_names[name]);
        }

        return tree;
    }

    /// <summary>Every member that no edit names lies whole, name and value, in one kept run of the original; so do its ends.</summary>
    private static bool KeepsTheRest(BodyPart[] parts, RequestFields fields, byte[] body, RequestEdits edits)
    {
        int[] changed = [FieldNames.Model, .. edits.Set.Select(e => e.Name), .. edits.Remove];
        var all = RequestFields.Read(new ReadOnlySequence<byte>(body), new FieldNames([.. _editable, .. _others])).Value!;
        var untouched = all.Fields.ToArray().Where(f => !changed.Select(i => _names[i]).Contains(all.Names[f.Name])).ToList();
        return untouched.TrueForAll(f => Array.Exists(parts, p => p.Length > 0 && p.Start <= f.NameStart && p.Start + p.Length >= f.ValueEnd))
            && parts[0].Start == 0 && parts[0].Length >= fields.Opening
            && parts[^1].Start + parts[^1].Length == body.Length
            && parts.Where(p => p.Length > 0).Zip(parts.Where(p => p.Length > 0).Skip(1)).All(two => two.First.Start + two.First.Length <= two.Second.Start);
    }

    private static RequestEdits EditsOf(int[] kinds)
    {
        ParameterEdit Edit(string name) => new(_names.IndexOf(name), [.. Target.Encode(name), (byte)':'], Encoding.UTF8.GetBytes($"{{\"new\":\"{name}\"}}"));
        IEnumerable<string> Of(int kind) => _editable.Where((_, i) => kinds[i] == kind);
        return new RequestEdits([.. Of(1).Select(Edit)], [.. Of(2).Select(Edit)], [.. Of(3).Select(_names.IndexOf)]);
    }

    private static string Names(ParameterEdit[] edits) => string.Join(',', edits.Select(e => _names[e.Name]));
}
