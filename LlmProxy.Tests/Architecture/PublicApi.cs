using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace LlmProxy.Tests.Architecture;

/// <summary>An assembly's public surface as text, one line per type and member, in an order that does not change.</summary>
internal static class PublicApi
{
    private const BindingFlags Visible =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Header(type)).Append('\n');
            foreach (var line in MembersOf(type))
            {
                text.Append("    ").Append(line).Append('\n');
            }

            text.Append('\n');
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static string Header(Type type)
    {
        var name = $"{type.Namespace}.{TypeNames.Plain(type)}";
        if (type.IsEnum)
        {
            return $"enum {name}";
        }

        if (type.BaseType == typeof(MulticastDelegate))
        {
            return $"delegate {Method(type.GetMethod("Invoke")!, name)}";
        }

        var kind = type switch
        {
            { IsInterface: true } => "interface",
            { IsValueType: true } => type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly struct" : "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsSealed: true } => "sealed class",
            { IsAbstract: true } => "abstract class",
            _ => "class",
        };
        var bases = type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []).Where(one => one.IsPublic).Select(TypeNames.Of).Order(StringComparer.Ordinal).ToList();
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType))
        {
            bases.Insert(0, TypeNames.Of(parent));
        }

        return $"{kind} {name}{(bases.Count > 0 ? " : " + string.Join(", ", bases) : "")}";
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static)
                .OrderBy(field => Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture))
                .Select(field => $"{field.Name} = {Convert.ToString(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}");
        }

        if (type.BaseType == typeof(MulticastDelegate))
        {
            return [];
        }

        return type.GetMembers(Visible)
            .Where(member => !member.IsDefined(typeof(CompilerGeneratedAttribute)))
            .Select(member => (member.Name, Text: Describe(member)))
            .Where(member => member.Text is not null)
            .OrderBy(member => member.Name, StringComparer.Ordinal)
            .ThenBy(member => member.Text, StringComparer.Ordinal)
            .Select(member => member.Text!);
    }

    private static string? Describe(MemberInfo member) => member switch
    {
        ConstructorInfo made when IsSeen(made) && !made.IsStatic => Method(made, "new"),
        MethodInfo method when IsSeen(method) && !method.IsSpecialName => Method(method, method.Name),
        MethodInfo method when IsSeen(method) && method.Name.StartsWith("op_", StringComparison.Ordinal) => Method(method, method.Name),
        PropertyInfo property when property.GetAccessors(nonPublic: true).Any(IsSeen) => Property(property),
        FieldInfo { IsPublic: true } field => Field(field),
        EventInfo { AddMethod.IsPublic: true } one => $"event {TypeNames.Of(one.EventHandlerType!)} {one.Name}",
        _ => null,
    };

    private static bool IsSeen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Field(FieldInfo field) => field.IsLiteral
        ? $"const {TypeNames.Of(field.FieldType)} {field.Name} = {Value(field.GetRawConstantValue())}"
        : $"{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{TypeNames.Of(field)} {field.Name}";

    private static string Property(PropertyInfo property)
    {
        var accessors = property.GetAccessors(nonPublic: true).Where(IsSeen).ToArray();
        var index = property.GetIndexParameters();
        var text = new StringBuilder();
        text.Append(accessors[0].IsStatic ? "static " : "");
        text.Append(property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "");
        text.Append(TypeNames.Of(property)).Append(' ').Append(index.Length > 0 ? $"this[{Parameters(index)}]" : property.Name).Append(" { ");
        text.Append(accessors.Contains(property.GetMethod) ? "get; " : "");
        if (accessors.FirstOrDefault(accessor => accessor == property.SetMethod) is { } set)
        {
            text.Append(set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init; " : "set; ");
        }

        return text.Append('}').ToString();
    }

    private static string Method(MethodBase method, string name)
    {
        var generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(TypeNames.Of))}>" : "";
        var result = method is MethodInfo returning ? TypeNames.Of(returning.ReturnParameter) + " " : "";
        var modifier = method switch
        {
            { IsStatic: true } => "static ",
            { IsAbstract: true, DeclaringType.IsInterface: false } => "abstract ",
            _ => method.IsFamily ? "protected " : "",
        };
        var extends = method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "";
        return $"{modifier}{result}{name}{generic}({extends}{Parameters(method.GetParameters())})";
    }

    private static string Parameters(IEnumerable<ParameterInfo> parameters) =>
        string.Join(", ", parameters.Select(parameter =>
        {
            var way = parameter switch
            {
                { IsOut: true } => "out ",
                { IsIn: true, ParameterType.IsByRef: true } => "in ",
                { ParameterType.IsByRef: true } => "ref ",
                _ => parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "",
            };
            var value = parameter.HasDefaultValue ? $" = {Value(parameter.RawDefaultValue)}" : "";
            return $"{way}{TypeNames.Of(parameter)} {parameter.Name}{value}";
        }));

    private static string Value(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
