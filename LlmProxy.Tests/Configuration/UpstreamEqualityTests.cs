using System.Reflection;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

/// <summary>A property that equality forgets would be a change that never takes effect: each is changed in turn.</summary>
[TestFixture]
internal sealed class UpstreamEqualityTests
{
    [TestCaseSource(nameof(Places))]
    public void A_difference_in_any_property_is_a_difference(string place)
    {
        UpstreamOptions one = new(), other = new();
        Fill(one);
        Fill(other);
        Assert.That(UpstreamEquality.Same(one, other), Is.True, "alike to begin with");
        Change(other, place.Split('.'));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(UpstreamEquality.Same(one, other), Is.False);
            Assert.That(UpstreamEquality.Same(other, one), Is.False);
        }
    }

    [TestCase("http://a@h", "http://b@h")]
    [TestCase("http://h/v1#x", "http://h/v1#y")]
    public void Addresses_are_compared_as_they_are_written(string one, string other) =>
        Assert.That(UpstreamEquality.Same(new() { Url = new(one) }, new() { Url = new(other) }), Is.False);

    [Test]
    public void Nothing_there_differs_from_something_there()
    {
        Assert.That(UpstreamEquality.Same(new(), new() { Probe = new() }), Is.False);
        Assert.That(UpstreamEquality.Same(new() { ApiKey = "" }, new()), Is.False);
        Assert.That(UpstreamEquality.Same(new() { Headers = { ["a"] = "1" } }, new() { Headers = { ["b"] = "1" } }), Is.False);
        Assert.That(UpstreamEquality.Same(new() { Tags = { "a", "b" } }, new() { Tags = { "a" } }), Is.False);
    }

    /// <summary>Every property with a value of its own, those of the options inside included.</summary>
    private static IEnumerable<string> Places() => PlacesOf(typeof(UpstreamOptions), "");

    private static IEnumerable<string> PlacesOf(Type type, string before) =>
        type.GetProperties().SelectMany(p => IsOptions(p.PropertyType) ? PlacesOf(p.PropertyType, before + p.Name + ".") : [before + p.Name]);

    private static bool IsOptions(Type type) => type.Name.EndsWith("Options", StringComparison.Ordinal);

    /// <summary>Options that may be absent are made, so that what is in them can be changed.</summary>
    private static void Fill(object options)
    {
        foreach (PropertyInfo property in options.GetType().GetProperties().Where(p => IsOptions(p.PropertyType)))
        {
            object inner = property.GetValue(options) ?? Activator.CreateInstance(property.PropertyType)!;
            property.SetValue(options, inner);
            Fill(inner);
        }
    }

    private static void Change(object options, string[] place)
    {
        PropertyInfo property = options.GetType().GetProperty(place[0])!;
        object? value = property.GetValue(options);
        if (place.Length > 1)
        {
            Change(value!, place[1..]);
            return;
        }

        switch (value)
        {
            case IList<string> list:
                list.Add("another");
                break;
            case IDictionary<string, string> map:
                map["another"] = "value";
                break;
            default:
                property.SetValue(options, Another(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, value));
                break;
        }
    }

    private static object Another(Type type, object? value) => type switch
    {
        _ when type == typeof(string) => value + "x",
        _ when type == typeof(bool) => !(bool)value!,
        _ when type == typeof(int) => (int?)value + 1 ?? 1,
        _ when type == typeof(long) => (long?)value + 1 ?? 1,
        _ when type == typeof(TimeSpan) => (TimeSpan?)value + TimeSpan.FromMilliseconds(1) ?? TimeSpan.FromMilliseconds(1),
        _ when type == typeof(Uri) => new Uri("http://another"),
        _ when type == typeof(Version) => new Version(9, 9),
        { IsEnum: true } => Enum.GetValues(type).Cast<object>().First(v => !v.Equals(value)),
        _ => throw new NotSupportedException($"How is another {type} made? Teach it here."),
    };
}
